"""What became of each rule: its verdict, its limit, and whether somebody accepts its violation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from audit.comparison.difference import Movement, RuleChange, Turn
from audit.policy import Finding, Verdict

# From good to bad, as far as a verdict tells.
_RANK: dict[Verdict, int] = {"pass": 0, "inconclusive": 1, "not_run": 1, "fail": 2}


def compare_rules(old: Sequence[Finding], new: Sequence[Finding]) -> tuple[RuleChange, ...]:
    """Every rule of either audit: those of the new one in its order, and then those that it has no more."""
    before, after = {finding.rule: finding for finding in old}, {finding.rule: finding for finding in new}
    names = [*after, *(name for name in before if name not in after)]
    return tuple(_compare(name, before.get(name), after.get(name)) for name in names)


def _compare(name: str, old: Finding | None, new: Finding | None) -> RuleChange:
    if old is None or new is None:
        # A rule that is violated and had no verdict before may have been so all the time.
        turn: Turn = "removed" if new is None else "new_violation" if _counts(new) else "added"
        return RuleChange(name, old, new, turn)
    return RuleChange(name, old, new, _turn(old, new), _movement(old, new), _waiver(old, new))


def _counts(finding: Finding) -> bool:
    return finding.violated and finding.waived_by is None


def _turn(old: Finding, new: Finding) -> Turn:
    if _counts(new):
        return "unchanged" if _counts(old) else "newly_violated"
    if new.verdict == "fail":
        # Accepted: it is told as the violation that it stays.
        return "unchanged" if old.verdict == "fail" else "newly_violated"
    if old.verdict == "pass" and new.verdict != "pass":
        return "undecided"
    if new.verdict == "pass" and old.verdict != "pass":
        return "remedied" if old.violated or old.verdict == "fail" else "better"
    return "better" if _RANK[new.verdict] < _RANK[old.verdict] or _counts(old) else "unchanged"


def _movement(old: Finding, new: Finding) -> Movement:
    if (old.asked, old.sense, old.limit) == (new.asked, new.sense, new.limit):
        return "none"
    if old.asked != new.asked or old.sense != new.sense or old.limit is None or new.limit is None:
        return "replaced"
    return "loosened" if (new.limit < old.limit) == (new.sense == "min") else "tightened"


def _waiver(old: Finding, new: Finding) -> Literal["", "ended", "began", "renewed"]:
    if old.waived_by == new.waived_by:
        return ""
    return "ended" if new.waived_by is None else "began" if old.waived_by is None else "renewed"
