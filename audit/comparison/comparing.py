"""Compare two audits: every measurement against the one before, every rule, and all else that is not alike."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from audit.bundle import Audit
from audit.comparison.circumstances import notices, require_alike
from audit.comparison.difference import ALPHA, Change, Difference, Side, Status, Words
from audit.comparison.paired import compare_pairs, same_rows
from audit.comparison.rule_changes import compare_rules
from audit.comparison.settings import asked_otherwise
from audit.comparison.significance import Tested, able, holm
from audit.comparison.stored_rows import read_rows
from audit.comparison.two_samples import compare_samples
from audit.evidence import Evidence
from audit.policy import Finding
from classifier.metric import Better, Metric

# Counts of what is there, not of a sample: one more is one more.
DEFECTS = frozenset(
    {
        "data.duplicates_across_splits",
        "data.missing_values",
        "data.rows_outside_bounds",
        "supply_chain.files_not_looked_into",
        "supply_chain.findings",
    }
)
# What tells how good a classifier is at all, whatever rules there are.
FOREMOST = frozenset({"performance.accuracy", "performance.balanced_accuracy", "performance.roc_auc", "performance.log_loss"})
# What is measured on other rows than those of the test too.
_OF_ALL_ROWS = ("fairness.", "privacy.")
Place = tuple[str, tuple[tuple[str, str | int | float], ...]]


def compare(old: Audit, new: Audit) -> Difference:
    """What the new audit says differently, told from chance as far as both allow.

    Where both keep the results of the same rows, each row is compared with itself; else the numbers are compared as those of two
    samples. The p-values of what rules name, and of what tells how good a classifier is at all, are corrected together, and so are
    those of all else: in either family two equal classifiers differ in any number in 5 % of comparisons at most.

    Args:
        old: The audit to compare with.
        new: The audit that is asked about.

    Raises:
        ConfigurationError: If their numbers answer different questions: other profiles, classes or events.
    """
    require_alike(old, new.profile, new.identity.classes, new.identity.event, new.identity.favourable)
    found = [one for check in _checks(old, new) for one in _of_check(old, new, check)]
    first, others = _families(found, [finding for audit in (old, new) for finding in audit.findings])
    changes = _corrected(_corrected(found, first), others)
    return Difference(
        old=_side(old),
        new=_side(new),
        profile=new.profile,
        notices=notices(old, new),
        changes=changes,
        rules=compare_rules(old.findings, new.findings),
        foremost=len(first),
        tested=len(others),
        sound=all(answer.holds for audit in (old, new) for answer in audit.known_answers),
    )


def _side(audit: Audit) -> Side:
    return Side(audit.identity.name, audit.identity.classifier, audit.policy.get("id", ""), audit.seed)


def _checks(old: Audit, new: Audit) -> list[str]:
    return list(dict.fromkeys(evidence.check for audit in (new, old) for evidence in audit.evidence))


def _of_check(old: Audit, new: Audit, check: str) -> Iterator[Change]:
    before, after = _find(old, check), _find(new, check)
    first, second = _by_place(before), _by_place(after)
    named = [{name for (name, _), metrics in found.items() if metrics[0].value is not None} for found in (first, second)]
    otherwise = asked_otherwise(before, after) if before is not None and after is not None else ()
    for name, where in dict.fromkeys([*second, *first]):
        of_old, of_new = first.get((name, where), []), second.get((name, where), [])
        change = Change(
            check, name, dict(where), _only(of_old), _only(of_new), "incomparable", lacking=(name in named[0]) != (name in named[1])
        )
        if len(of_old) > 1 or len(of_new) > 1:
            yield replace(change, reason="twice", lacking=True)
        elif change.old is None or change.old.value is None or change.new is None or change.new.value is None:
            yield _missing(change, before, after)
        elif otherwise:
            option, was, is_ = otherwise[0]
            words: Words = {"option": option, "old": f"{was}", "new": f"{is_}", "options": len(otherwise)}
            yield replace(change, reason="asked", words=words, lacking=True)
        elif change.old.bound != change.new.bound:
            yield replace(change, reason="bound", lacking=True)
        else:
            compared = replace(change, difference=change.new.value - change.old.value, lacking=False)
            yield _tested(compared, change.old, change.new, _test(old, new, check, change.old, change.new))


def _find(audit: Audit, check: str) -> Evidence | None:
    return next((evidence for evidence in audit.evidence if evidence.check == check), None)


def _by_place(evidence: Evidence | None) -> dict[Place, list[Metric]]:
    found: dict[Place, list[Metric]] = {}
    for metric in evidence.metrics if evidence is not None else ():
        found.setdefault((metric.name, tuple(sorted(metric.where.items()))), []).append(metric)
    return found


def _only(metrics: list[Metric]) -> Metric | None:
    return metrics[0] if metrics else None


def _missing(change: Change, before: Evidence | None, after: Evidence | None) -> Change:
    """Which audit lacks the number, and why as far as its record says."""
    lacks_old, lacks_new = (metric is None or metric.value is None for metric in (change.old, change.new))
    evidence, metric = (after, change.new) if lacks_new else (before, change.old)
    side = "neither" if lacks_old and lacks_new else "not_in_new" if lacks_new else "not_in_old"
    why = metric.reason if metric is not None else evidence.not_run if evidence is not None else None
    if why:
        return replace(change, reason=f"{side}.unmeasured", words={"why": why})
    return replace(change, reason=f"{side}.{'left_out' if evidence is None else 'elsewhere'}")


def _test(old: Audit, new: Audit, check: str, first: Metric, second: Metric) -> Tested | None:
    if "exact" in (first.interval, second.interval):
        return None
    before, after = old.identity.data, new.identity.data
    if before == after or (before.get("test") == after.get("test") and not second.name.startswith(_OF_ALL_ROWS)):
        rows, again = read_rows(old, old[check], first), read_rows(new, new[check], second)
        pair = same_rows(rows, again) if rows is not None and again is not None else None
        tested = compare_pairs(*pair) if pair is not None else None
        if tested is not None:
            return tested
    return compare_samples(first, second)


def _tested(change: Change, old: Metric, new: Metric, tested: Tested | None) -> Change:
    """What a test said, before it is corrected; or what a count says."""
    if tested is not None:
        return replace(
            change, status="same", method=tested.method, rows=tested.rows, low=tested.low, high=tested.high, p_value=tested.p_value,
            least=tested.least,
        )  # fmt: skip
    if old.interval == new.interval == "exact" and (new.name in DEFECTS or old.value == new.value):
        return replace(change, status=_direction(new.better, change.difference or 0.0), method="counted")
    # A number with an interval, of which no test can be made, is not shown to be no worse.
    lacking = "exact" not in (old.interval, new.interval) and _direction(new.better, change.difference or 0.0) == "regression"
    return replace(change, status="untested", lacking=lacking)


def _direction(better: Better, difference: float) -> Status:
    if difference == 0:
        return "same"
    if better == "neither":
        return "different"
    return "improvement" if (difference > 0) == (better == "higher") else "regression"


def _families(changes: Sequence[Change], asked: Sequence[Finding]) -> tuple[frozenset[int], frozenset[int]]:
    """The places of the foremost measurements, and of the others, as far as a test of them could find anything at all."""
    tested = [place for place, change in enumerate(changes) if change.p_value is not None]
    first = [place for place in tested if _is_foremost(changes[place], asked)]
    return _able(changes, first), _able(changes, [place for place in tested if place not in first])


def _is_foremost(change: Change, asked: Sequence[Finding]) -> bool:
    named = (finding.where.items() <= change.where.items() for finding in asked if finding.asked == change.name)
    return change.name in FOREMOST or any(named)


def _able(changes: Sequence[Change], places: Sequence[int]) -> frozenset[int]:
    could = able([changes[place].least or 0.0 for place in places], ALPHA)
    return frozenset(place for place, one in zip(places, could, strict=True) if one)


def _corrected(changes: Sequence[Change], family: Collection[int]) -> tuple[Change, ...]:
    """With Holm's correction over one family, and what follows from it."""
    places = sorted(family)
    adjusted = dict(zip(places, holm([changes[place].p_value or 0.0 for place in places]), strict=True))
    return tuple(_judged(change, adjusted[place]) if place in adjusted else change for place, change in enumerate(changes))


def _judged(change: Change, adjusted: float) -> Change:
    change = replace(change, adjusted=adjusted)
    if change.p_value is None or change.p_value > ALPHA or change.old is None or change.new is None:
        return change
    status = _direction(change.new.better, change.difference or 0.0)
    # An unreliable number flatters: what is worse than it, or better by it, may not be so.
    flattering = change.old.unreliable if status == "regression" else change.new.unreliable
    if adjusted > ALPHA:
        return change if status != "regression" or flattering else replace(change, status="possible")
    if flattering:
        return replace(change, status="incomparable", reason="unreliable", words={"why": flattering}, lacking=True)
    return replace(change, status=status)
