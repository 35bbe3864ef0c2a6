"""Policy: what is required of the numbers. It judges; it never measures."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator

from audit.evidence import Evidence
from audit.toml_files import Form, read_toml
from classifier.errors import ConfigurationError, did_you_mean
from classifier.metric import Metric
from classifier.records import sha256
from classifier.statistics import samples_to_decide

Verdict = Literal["pass", "fail", "inconclusive", "not_run"]
Severity = Literal["low", "medium", "high"]
Reason = Literal["holds", "broken", "undecided", "not_refuted", "unreliable", "unmeasured", "no_measurement", "unset"]
Judged = tuple[Verdict, Reason, Metric | None, str | None]
VERDICTS: tuple[Verdict, ...] = ("fail", "inconclusive", "not_run", "pass")


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
        controls: Clauses of laws and standards that it serves.
    """

    id: str
    metric: str
    where: dict[str, str | float | int] = {}
    min: FiniteFloat | None = None
    max: FiniteFloat | None = None
    limit: Literal["unset"] | None = None
    set_by: str
    rationale: str
    severity: Severity = "medium"
    on_inconclusive: Literal["warn", "fail"] = "warn"
    controls: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_limit(self) -> Rule:
        if sum(value is not None for value in (self.min, self.max, self.limit)) != 1:
            raise ValueError('needs one of min, max and limit = "unset"')
        return self


class Waiver(Form):
    """Somebody's decision to live with a violation until a day.

    Args:
        rule: Id of the rule.
        reason: Why it is accepted.
        owner: Who answers for it.
        expires: The last day on which it counts.
    """

    rule: str
    reason: Annotated[str, Field(min_length=1)]
    owner: Annotated[str, Field(min_length=1)]
    expires: datetime.date


class PolicyHead(Form):
    """What the policy is called, and which profile of checks it asks for."""

    id: str
    profile: Literal["quick", "standard", "thorough"] | None = None


class Policy(Form):
    """Rules, and the waivers that soften them."""

    policy: PolicyHead
    rule: tuple[Rule, ...]
    waiver: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Policy:
        ids = [rule.id for rule in self.rule]
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(f"two rules are called {name!r}")
        for waiver in self.waiver:
            if waiver.rule not in ids:
                raise ValueError(f"a waiver names the rule {waiver.rule!r}; {did_you_mean(waiver.rule, ids)}")
        return self

    @classmethod
    def read(cls, path: str | Path) -> Policy:
        """Read ``policy.toml``.

        Raises:
            ConfigurationError: With file, line and the nearest key.
        """
        return read_toml(cls, Path(path))

    @property
    def digest(self) -> str:
        """SHA-256 of its content, in a fixed order of keys."""
        return sha256(self.model_dump_json().encode())

    def check_metrics(self, known: Iterable[str]) -> None:
        """Refuse a rule about a metric that no check gives."""
        names = list(known)
        for rule in self.rule:
            if rule.metric not in names:
                raise ConfigurationError(
                    f"the rule {rule.id!r} asks for the metric {rule.metric!r}, which no check gives",
                    remedy=did_you_mean(rule.metric, names),
                )

    def check_profile(self, profile: str) -> None:
        """Refuse to judge an audit of another profile than the one required."""
        required = self.policy.profile
        if required not in (None, profile):
            raise ConfigurationError(
                f"the policy {self.policy.id!r} requires the profile {required!r}, got {profile!r}",
                remedy=f'set profile = "{required}" under [audit]',
            )

    def judge(self, evidence: Iterable[Evidence], *, today: datetime.date) -> tuple[Finding, ...]:
        """One finding for each rule.

        Args:
            evidence: What was measured.
            today: The day on which waivers are held against their expiry.
        """
        measured = [(e.check, metric) for e in evidence for metric in e.metrics]
        waived = {waiver.rule: waiver for waiver in self.waiver if today <= waiver.expires}
        return tuple(_judge(rule, measured, waived.get(rule.id)) for rule in self.rule)


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
        sense: Whether the limit is a ``"min"``, a ``"max"``, or ``"unset"``.
        limit: The limit.
        severity: How much a violation matters.
        set_by: Who chose the limit.
        rationale: Why.
        controls: Clauses that the rule serves.
        violated: Whether the rule counts as violated, as a fail does, and an inconclusive one that may not be.
        waived_by: Who accepts the violation, until when and why, if anyone does.
        samples_needed: About how many samples would decide, where more would.
    """

    rule: str
    asked: str
    verdict: Verdict
    reason: Reason
    metric: Metric | None
    check: str | None
    sense: Literal["min", "max", "unset"]
    limit: float | None
    severity: Severity
    set_by: str
    rationale: str
    controls: tuple[str, ...]
    violated: bool
    waived_by: str | None = None
    samples_needed: int | None = None


def _judge(rule: Rule, measured: list[tuple[str, Metric]], waiver: Waiver | None) -> Finding:
    found = [(check, m) for check, m in measured if m.name == rule.metric and rule.where.items() <= m.where.items()]
    # Of several measurements, the worst decides: a rule about every group holds if it holds for each.
    judged: list[Judged] = [(*_verdict(rule, metric), metric, check) for check, metric in found]
    none: Judged = ("not_run", "no_measurement", None, None)
    verdict, reason, metric, check = min(judged, key=lambda one: (VERDICTS.index(one[0]), _slack(rule, one[2])), default=none)
    limit = rule.min if rule.min is not None else rule.max
    return Finding(
        rule=rule.id,
        asked=rule.metric,
        verdict=verdict,
        reason=reason,
        metric=metric,
        check=check,
        sense="min" if rule.min is not None else "max" if rule.max is not None else "unset",
        limit=limit,
        severity=rule.severity,
        set_by=rule.set_by,
        rationale=rule.rationale,
        controls=rule.controls,
        violated=verdict == "fail" or (verdict == "inconclusive" and rule.on_inconclusive == "fail"),
        waived_by=f"{waiver.owner}, {waiver.expires.isoformat()}: {waiver.reason}" if waiver else None,
        samples_needed=_samples_needed(metric, limit) if reason == "undecided" else None,
    )


def _samples_needed(metric: Metric | None, limit: float | None) -> int | None:
    # More samples narrow an estimate; what a bound leaves open, they do not settle.
    return samples_to_decide(metric, limit) if metric is not None and limit is not None and metric.bound == "estimate" else None


def _slack(rule: Rule, metric: Metric | None) -> float:
    """How far the value is on the right side of the limit."""
    if metric is None or metric.value is None:
        return 0.0
    return metric.value - rule.min if rule.min is not None else rule.max - metric.value if rule.max is not None else 0.0


def _verdict(rule: Rule, metric: Metric) -> tuple[Verdict, Reason]:
    if metric.low is None or metric.high is None:
        return "not_run", "unmeasured"
    if rule.min is not None:
        holds, broken, flattering, blackening = metric.low >= rule.min, metric.high < rule.min, "upper", "lower"
    elif rule.max is not None:
        holds, broken, flattering, blackening = metric.high <= rule.max, metric.low > rule.max, "lower", "upper"
    else:
        return "not_run", "unset"
    # A bound shows one side only: a number that can but be worse confirms nothing, one that can but be better refutes nothing.
    if broken and metric.bound != blackening:
        return "fail", "broken"
    if metric.unreliable:
        return "inconclusive", "unreliable"
    if holds and metric.bound != flattering:
        return "pass", "holds"
    return "inconclusive", "not_refuted" if metric.bound == flattering else "undecided"
