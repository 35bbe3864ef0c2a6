"""Deciding: from a rule and what was measured to a finding."""

from __future__ import annotations

from audit.policy.finding import VERDICTS, Finding, Reason, Verdict
from audit.policy.rule import Rule
from audit.policy.waiver import Waiver
from classifier.metric import Metric
from classifier.statistics import samples_to_decide

Judged = tuple[Verdict, Reason, Metric | None, str | None]


def judge_rule(rule: Rule, measured: list[tuple[str, Metric]], waiver: Waiver | None) -> Finding:
    """The finding of one rule.

    Args:
        rule: What is required.
        measured: Each metric, and the check that it came from.
        waiver: Who accepts a violation today, if anyone does.
    """
    found = [(check, m) for check, m in measured if m.name == rule.metric and is_about(rule, m)]
    # Of several measurements, the worst decides: a rule about every group holds if it holds for each.
    judged: list[Judged] = [(*verdict_of(rule, metric), metric, check) for check, metric in found]
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
        hazard=rule.hazard,
        requirement=rule.requirement,
        where=rule.where,
        on_inconclusive=rule.on_inconclusive,
    )


def is_about(rule: Rule, metric: Metric) -> bool:
    """Whether a measurement is one of those that `where` names."""
    return all(key in metric.where and same_value(asked, metric.where[key]) for key, asked in rule.where.items())


def same_value(asked: str | float, found: str | float) -> bool:
    """Whether a value that a rule names is the one that was measured: a group of data is a text, even where it looks like a number."""
    return asked == found or str(asked) == str(found)


def verdict_of(rule: Rule, metric: Metric) -> tuple[Verdict, Reason]:
    """What one measurement says of a rule, and why."""
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


def _samples_needed(metric: Metric | None, limit: float | None) -> int | None:
    # More samples narrow an estimate; what a bound leaves open, they do not settle.
    return samples_to_decide(metric, limit) if metric is not None and limit is not None and metric.bound == "estimate" else None


def _slack(rule: Rule, metric: Metric | None) -> float:
    """How far the value is on the right side of the limit."""
    if metric is None or metric.value is None:
        return 0.0
    return metric.value - rule.min if rule.min is not None else rule.max - metric.value if rule.max is not None else 0.0
