"""Finding: one rule's verdict, as it stands in the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from audit.policy.rule import Severity
from classifier.metric import Metric

Verdict = Literal["pass", "fail", "inconclusive", "not_run"]
Reason = Literal[
    "holds",
    "broken",
    "undecided",
    "not_refuted",
    "unreliable",
    "unmeasured",
    "no_measurement",
    "unset",
    "independent",
    "not_independent",
    "undeclared",
]
Sense = Literal["min", "max", "unset", "independent"]
#: The gravest first.
VERDICTS: tuple[Verdict, ...] = ("fail", "inconclusive", "not_run", "pass")


@dataclass(frozen=True)
class Finding:
    """One rule's verdict.

    Args:
        rule: Id of the rule.
        asked: Name of the metric that the rule is about.
        verdict: ``"pass"``, ``"fail"``, ``"inconclusive"`` or ``"not_run"``.
        reason: Id in the catalogue of the sentence that says why.
        metric: The measurement that decided, if there is one.
        check: The check that it came from.
        sense: Whether the limit is a ``"min"``, a ``"max"``, or ``"unset"``; ``"independent"`` where no number is asked for, but
            that two people differ.
        limit: The limit.
        severity: How much a violation matters.
        set_by: Who chose the limit.
        rationale: Why.
        controls: Clauses that the rule serves.
        violated: Whether the rule counts as violated, as a fail does, and an inconclusive one that may not be.
        waived_by: Who accepts the violation, until when and why, if anyone does.
        samples_needed: About how many samples would decide, where more would.
        hazard: Id of the hazard that the rule holds in check, if it names one.
        requirement: Id of the requirement that the rule tests, if it names one.
        where: Which of the metric's measurements the rule is about; all of them if empty.
        on_inconclusive: Whether too few samples count as a violation.
    """

    rule: str
    asked: str
    verdict: Verdict
    reason: Reason
    metric: Metric | None
    check: str | None
    sense: Sense
    limit: float | None
    severity: Severity
    set_by: str
    rationale: str
    controls: tuple[str, ...]
    violated: bool
    waived_by: str | None = None
    samples_needed: int | None = None
    hazard: str | None = None
    requirement: str | None = None
    where: Mapping[str, str | float | int] = field(default_factory=dict)
    on_inconclusive: Literal["warn", "fail"] = "warn"

    def _repr_html_(self) -> str:
        from audit.notebook import finding_html

        return finding_html(self)
