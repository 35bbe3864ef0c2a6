"""Which rules of a policy so many rows can decide at all, said before anything runs."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from audit.check import Check
from audit.policy import Policy, Rule
from audit.subject import Subject
from classifier.metric import Bound
from classifier.statistics import clopper_pearson, wilson

_WIDTH = 80
_JOINED = "\N{NO-BREAK SPACE}"
Rows = Literal["test", "approved", "group", "training"]


@dataclass(frozen=True)
class Share:
    """What is known beforehand of a metric that is a share of rows.

    Args:
        rows: Which rows it is a share of.
        bound: Whether it estimates the truth, or shows one side of it only.
        exact: Whether its interval is the exact binomial one, and not Wilson's.
        limits: Options of its check, besides `limit`, that say how many rows are taken at most.
    """

    rows: Rows = "test"
    bound: Bound = "estimate"
    exact: bool = False
    limits: tuple[str, ...] = ()


#: Other metrics are made of more than one count of rows, so that nothing is known of their intervals beforehand.
SHARES: Mapping[str, Share] = {
    "performance.accuracy": Share(),
    "performance.approval_rate": Share(),
    "performance.bad_rate_among_approved": Share("approved"),
    "robustness.clean_accuracy": Share(),
    "robustness.accuracy": Share(bound="upper"),
    "robustness.accuracy_by_distance": Share(bound="upper"),
    "robustness.certified_accuracy": Share(bound="lower"),
    "robustness.corruption_accuracy": Share(),
    "robustness.exact_accuracy": Share(limits=("exact",)),
    "robustness.smoothed_accuracy": Share(bound="lower"),
    "robustness.smoothed_certified_accuracy": Share(bound="lower"),
    "robustness.text_accuracy": Share(bound="upper"),
    "robustness.transfer_accuracy": Share(bound="upper"),
    "robustness.unsmoothed_accuracy": Share(),
    "privacy.membership_tpr": Share("training", "lower", exact=True),
    "fairness.approval_rate": Share("group"),
    "fairness.bad_rate_among_approved": Share("group"),
    "fairness.accuracy": Share("group"),
}
#: Numbers that are counted: whatever they are, a rule about them is decided.
COUNTED = frozenset(
    {
        "data.rows",
        "data.missing_values",
        "data.duplicates_across_splits",
        "data.rows_outside_bounds",
        "data.smallest_class",
        "supply_chain.findings",
        "supply_chain.files",
        "supply_chain.files_not_looked_into",
    }
)
_P_VALUE = "performance.learned_p_value"
# Where test rows may have been learned from, being right is flattered; who is approved is not.
_UNFLATTERED = ("performance.approval_rate", "fairness.approval_rate")


def policy_lines(
    policy: Policy, subject: Subject, checks: Sequence[Check], refused: Mapping[str, str], *, today: datetime.date
) -> list[str]:
    """One or more lines a rule, of 80 columns at most.

    Args:
        policy: The rules.
        subject: What is audited.
        checks: What is going to run, with its options.
        refused: Why a check would not run, by its id.
        today: The day on which waivers are held against their expiry.
    """
    head = policy.policy
    lines = [f"Policy {head.id}: {len(policy.rule)} rules, {len(policy.waiver)} waivers"]
    lines.append(f"  SHA-256 {policy.digest}")
    if head.requires_independence:
        lines.append("  developer and validator must be declared, and differ")
    for waiver in policy.waiver:
        if waiver.expires < today:
            said = f"the waiver of {waiver.rule} by {waiver.owner} ended on {waiver.expires.isoformat()}: it does not count"
            lines += _wrapped(said, 2)
    unset = [rule.id for rule in policy.rule if rule.limit == "unset"]
    if unset:
        lines += _wrapped(f"no limit set, ask the model's owner: {', '.join(unset)}", 2)
    foreseen = {rule.id: _foreseen(rule, subject, checks, refused) for rule in policy.rule if rule.limit != "unset"}
    for name, said in foreseen.items():
        if said:
            lines += [f"  {name}", *_wrapped(said, 4)]
    later = [name for name, said in foreseen.items() if not said]
    if later:
        lines += _wrapped(f"whether the rows suffice shows when it is measured: {', '.join(later)}", 2)
    return lines


def _wrapped(text: str, indent: int) -> list[str]:
    lines = textwrap.wrap(text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2), break_on_hyphens=False)
    # A number keeps its sign of percent on its line.
    return [line.replace(_JOINED, " ") for line in lines]


def _foreseen(rule: Rule, subject: Subject, checks: Sequence[Check], refused: Mapping[str, str]) -> str:
    """What can be said of a rule before its metric is measured; empty where nothing can."""
    giving = next((check for check in checks if rule.metric in check.metrics), None)
    asked = f"{rule.metric} at {'least' if rule.min is not None else 'most'} {_limit(rule):g}"
    if giving is None:
        return f"{asked}: cannot be judged, its check is left out"
    if giving.id in refused:
        return f"{asked}: cannot be judged, {giving.id} does not run"
    if rule.metric in COUNTED:
        return f"{asked}: is decided, since it is counted"
    if rule.metric == _P_VALUE:
        return f"{asked}: {_of_permutations(rule, int(giving.options()['permutations']))}"
    if rule.metric not in SHARES:
        return ""
    share = SHARES[rule.metric]
    bound = share.bound
    if subject.independence == "unknown" and rule.metric not in _UNFLATTERED and rule.metric.startswith(("performance.", "fairness.")):
        bound = "upper" if rule.min is not None else "lower"
    sizes, most = _rows(rule, share, subject, giving)
    if not any(sizes):
        return f"{asked}: cannot be judged, there are no such rows"
    said = _of_rows(rule, sizes, bound, clopper_pearson if share.exact else wilson)
    several = len(set(sizes)) > 1
    rows = f"{min(sizes)} to {max(sizes)}" if several else f"{max(sizes)}"
    return f"{asked}, of {'groups of ' if several else ''}{'at most ' if most else ''}{rows} rows: {said}"


def _limit(rule: Rule) -> float:
    return rule.min if rule.min is not None else float(rule.max or 0)


def _rows(rule: Rule, share: Share, subject: Subject, check: Check) -> tuple[list[int], bool]:
    """Of how many rows the share is one, for each group that the rule is about; and whether there may be fewer."""
    if share.rows == "training" and subject.training is not None:
        return [len(subject.training)], False
    if share.rows == "group":
        return _groups(rule, subject), rule.metric.endswith("among_approved")
    options, whole = check.options(), len(subject.test)
    limits = [int(options[name]) for name in ("limit", *share.limits) if options.get(name) is not None]
    # Checks that take some rows alone may leave out more of them.
    return [min(whole, *limits)] if limits else [whole], bool(limits) or share.rows == "approved"


def _groups(rule: Rule, subject: Subject) -> list[int]:
    """Rows of each of the groups that the rule is about."""
    crossed = subject.lacks("recipe") is None
    parts = (subject.training, subject.validation, subject.test) if crossed else (subject.test,)
    sizes = []
    for attribute in subject.test.protected:
        if rule.where.get("attribute", attribute) == attribute:
            groups = np.concatenate([part.groups(attribute) for part in parts if part is not None])
            names, counts = np.unique(groups.astype(str), return_counts=True)
            sizes += [int(n) for name, n in zip(names, counts, strict=True) if str(rule.where.get("group", name)) == name]
    return sizes


def _of_rows(rule: Rule, sizes: Sequence[int], bound: Bound, interval: Callable[[int, int], tuple[float, float]]) -> str:
    """From which shares on the rule holds, and from which it is broken, if so many rows are looked at.

    A rule about each of several groups holds where it holds for the one that makes it hardest, the smallest; and it is broken as soon
    as it is for the one that shows it best, the largest.
    """
    least = rule.min is not None
    turns = [_turns(_limit(rule), least, n, interval) for n in sizes]
    farthest = max if least else min
    # Of a group that can never keep the rule, nothing can show that all do.
    holds = None if any(hold is None for hold, _ in turns) else farthest(hold for hold, _ in turns if hold is not None)
    broken = farthest((broken for _, broken in turns if broken is not None), default=None)
    flattering, blackening = ("upper", "lower") if least else ("lower", "upper")
    can_hold, can_break = (holds is not None and bound != flattering), (broken is not None and bound != blackening)
    held = f"holds {'from' if least else 'up to'} {_percent(holds or 0)}"
    broke = f"is broken {'up to' if least else 'from'} {_percent(broken or 0)}"
    if can_hold and can_break:
        return f"{held} and {broke}; between, these rows cannot decide it"
    why = f"{bound} bounds cannot" if bound != "estimate" else "so few rows cannot"
    if can_break:
        return f"{broke}; {why} show that it holds"
    return f"{held}; {why} show that it is broken" if can_hold else f"{why} decide it"


def _turns(limit: float, least: bool, n: int, interval: Callable[[int, int], tuple[float, float]]) -> tuple[float | None, float | None]:
    """The shares of `n` rows from which on a rule holds and is broken; ``None`` where none does that."""
    if least:
        holds, broken = _first(n, lambda k: interval(k, n)[0] >= limit), _first(n, lambda k: interval(k, n)[1] >= limit) - 1
    else:
        holds, broken = _first(n, lambda k: interval(k, n)[1] > limit) - 1, _first(n, lambda k: interval(k, n)[0] > limit)
    return holds / n if 0 <= holds <= n else None, broken / n if 0 <= broken <= n else None


def _percent(share: float) -> str:
    return f"{100 * share:.1f}{_JOINED}%"


def _first(n: int, true: Callable[[int], bool]) -> int:
    """The first count from 0 to `n` for which it is true, where it stays so; ``n + 1`` if there is none."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if true(middle) else (middle + 1, high)
    return low


def _of_permutations(rule: Rule, permutations: int) -> str:
    """A p value of so many permutations cannot be smaller than what the interval of none exceeding allows."""
    least = max(clopper_pearson(0, permutations)[1], 1 / (1 + permutations))
    if rule.max is not None and least > rule.max:
        return f"can never hold, since of {permutations} permutations the interval reaches {least:.2g} at best; ask for more of them"
    return f"can be decided by {permutations} permutations, whose interval reaches {least:.2g} at best"
