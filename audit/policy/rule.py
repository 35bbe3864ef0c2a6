"""A rule: one requirement of a metric."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, FiniteFloat, model_validator

from audit.toml_files import Form

Severity = Literal["low", "medium", "high"]


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must say something")
    return text


#: A name, or a sentence, that must be there.
Name = Annotated[str, Field(min_length=1), AfterValidator(_said)]


def _unstated(value: Any) -> bool:
    """Whether a field that came with a later release says nothing: then the digest of an older policy stays what it was."""
    return value in (None, False)


#: A name that an older policy does not state.
Later = Annotated[Name | None, Field(exclude_if=_unstated)]
#: The same for a switch.
LaterSwitch = Annotated[bool, Field(exclude_if=_unstated)]


class Rule(Form):
    """One requirement: a metric, and the least or the most that its interval must keep to.

    Args:
        id: Its name in reports.
        metric: Name of the metric, ``"fairness.selection_ratio"``.
        where: Which of the metric's measurements it is about; all of them if empty.
        min: The interval's low end must reach this.
        max: The interval's high end must not exceed this.
        limit: ``"unset"`` where the model's owner has yet to say.
        set_by: Who chose the limit.
        rationale: Why.
        severity: How much a violation matters.
        on_inconclusive: Whether too few samples count as a violation.
        controls: Clauses of laws and standards that it serves, each as ``"law:clause"``.
        hazard: Id of the hazard that it holds in check, in the owner's own list of hazards.
        requirement: Id of the requirement that it tests, in the owner's own list of requirements.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"oneOf": [{"required": ["min"]}, {"required": ["max"]}, {"required": ["limit"]}]},
    )

    id: Name
    metric: str
    where: dict[str, str | float | int] = {}
    min: FiniteFloat | None = None
    max: FiniteFloat | None = None
    limit: Literal["unset"] | None = None
    set_by: str
    rationale: str
    severity: Severity = "medium"
    on_inconclusive: Literal["warn", "fail"] = "warn"
    controls: Annotated[tuple[str, ...], Field(json_schema_extra={"uniqueItems": True})] = ()
    hazard: Later = None
    requirement: Later = None

    @model_validator(mode="after")
    def _one_limit(self) -> Rule:
        if sum(value is not None for value in (self.min, self.max, self.limit)) != 1:
            raise ValueError('needs one of min, max and limit = "unset"')
        return self

    @model_validator(mode="after")
    def _each_control_once(self) -> Rule:
        if len(set(self.controls)) < len(self.controls):
            raise ValueError("controls names a clause twice")
        return self
