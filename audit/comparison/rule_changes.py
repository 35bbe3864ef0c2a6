"""What became of each rule: its verdict, what it asks, and whether somebody accepts its violation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from audit.comparison.difference import Movement, RuleChange, Scope, Turn, Weight
from audit.policy import Finding, Verdict
from audit.policy.rule import Severity

# From good to bad, as far as a verdict tells.
_RANK: dict[Verdict, int] = {"pass": 0, "inconclusive": 1, "not_run": 1, "fail": 2}
_WEIGHTS: dict[Severity, int] = {"low": 0, "medium": 1, "high": 2}


def compare_rules(old: Sequence[Finding], new: Sequence[Finding]) -> tuple[RuleChange, ...]:
    """Every rule of either audit: those of the new one in its order, and then those that it has no more."""
    before, after = {finding.rule: finding for finding in old}, {finding.rule: finding for finding in new}
    names = [*after, *(name for name in before if name not in after)]
    return tuple(_compare(name, before.get(name), after.get(name)) for name in names)


def keeps_what_was_asked(old: Finding, new: Finding) -> bool:
    """Whether a rule that holds now would hold as it was asked before, as far as its finding tells."""
    if old.asked != new.asked or _scope(old, new) in ("narrowed", "elsewhere"):
        return False
    if (old.sense, old.limit) == (new.sense, new.limit):
        return True
    metric = new.metric
    if metric is None or metric.low is None or metric.high is None or old.limit is None:
        return False
    # A bound that keeps to a limit on its one side says nothing of the other.
    if old.sense != new.sense and metric.bound != "estimate":
        return False
    return metric.low >= old.limit if old.sense == "min" else metric.high <= old.limit


def _compare(name: str, old: Finding | None, new: Finding | None) -> RuleChange:
    if old is None or new is None:
        # A rule that is violated and had no verdict before may have been so all the time.
        turn: Turn = "removed" if new is None else "new_violation" if _counts(new) else "added"
        return RuleChange(name, old, new, turn)
    return RuleChange(name, old, new, _turn(old, new), _movement(old, new), _scope(old, new), _weight(old, new), _waiver(old, new))


def _counts(finding: Finding) -> bool:
    return finding.violated and finding.waived_by is None


def _turn(old: Finding, new: Finding) -> Turn:
    if new.verdict == "fail" or _counts(new):
        # What is accepted is told as the violation that it stays; what was not decided, and fails now, is worse.
        stays = old.verdict == "fail" or (new.verdict != "fail" and old.violated)
        return "unchanged" if stays and (_counts(old) or not _counts(new)) else "newly_violated"
    if new.verdict == "not_run":
        # A limit or evidence that is gone is no step towards holding.
        return "unchanged" if old.verdict == "not_run" else "undecided"
    if new.verdict == "inconclusive":
        if old.verdict == "pass":
            return "undecided"
        if old.verdict == "fail" or old.violated:
            return "eased" if _asks_less(old, new) else "better"
        return "unchanged"
    if old.sense != "unset" and not keeps_what_was_asked(old, new):
        return "eased"
    if old.verdict == "pass":
        return "unchanged"
    return "remedied" if old.violated or old.verdict == "fail" else "better"


def _asks_less(old: Finding, new: Finding) -> bool:
    spared = old.on_inconclusive == "fail" and new.on_inconclusive == "warn"
    return spared or _movement(old, new) in ("loosened", "replaced") or _scope(old, new) in ("narrowed", "elsewhere")


def _movement(old: Finding, new: Finding) -> Movement:
    if (old.asked, old.sense, old.limit) == (new.asked, new.sense, new.limit):
        return "none"
    if old.asked != new.asked or old.sense != new.sense or old.limit is None or new.limit is None:
        return "replaced"
    return "loosened" if (new.limit < old.limit) == (new.sense == "min") else "tightened"


def _scope(old: Finding, new: Finding) -> Scope:
    before, after = old.where.items(), new.where.items()
    if before == after:
        return "none"
    return "narrowed" if before <= after else "widened" if after <= before else "elsewhere"


def _weight(old: Finding, new: Finding) -> Weight:
    steps = _WEIGHTS[new.severity] - _WEIGHTS[old.severity], (new.on_inconclusive == "fail") - (old.on_inconclusive == "fail")
    return "softened" if min(steps) < 0 else "hardened" if max(steps) > 0 else "none"


def _waiver(old: Finding, new: Finding) -> Literal["", "ended", "began", "renewed"]:
    if old.waived_by == new.waived_by:
        return ""
    return "ended" if new.waived_by is None else "began" if old.waived_by is None else "renewed"
