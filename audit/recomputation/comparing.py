"""Every number of a record against what the rows give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isclose

from audit.recomputation import explanation, fairness, label_errors, performance, privacy, robustness
from audit.recomputation.consistency import faults_of
from audit.recomputation.intervals import wilson_interval
from audit.recomputation.kinds import is_drawn
from audit.recomputation.record import NO_ROWS, RESAMPLED, Found, Json, LackingError, Recompute, Record
from classifier.errors import IntegrityError

# Sums of many doubles in another order differ by less; what a reader sees has three places.
_ROUNDING = 1e-9
_RECOMPUTED: Mapping[str, Recompute] = {
    name: recompute
    for room in (performance, fairness, robustness, privacy, explanation, label_errors)
    for name, recompute in room.RECOMPUTED.items()
}


@dataclass(frozen=True)
class Difference:
    """A number that is not what the rows give.

    Args:
        check: The check that measured it.
        metric: Its name.
        where: What it was measured on.
        part: ``"value"``, ``"low"``, ``"high"`` or ``"n"``.
        stored: What the record says.
        found: What the rows give.
    """

    check: str
    metric: str
    where: Mapping[str, str | float | int]
    part: str
    stored: float
    found: float

    def __str__(self) -> str:
        where = "".join(f", {key} = {value}" for key, value in self.where.items())
        part = "" if self.part == "value" else f" ({self.part})"
        return f"{self.metric}{where}{part} is stored as {self.stored!r}, and the rows give {self.found!r}"


@dataclass(frozen=True)
class Recomputation:
    """What came of recomputing a record. Numbers are values and, where they are not the value itself, the ends of intervals.

    Args:
        numbers: How many were measured.
        agreeing: How many agree with what the rows, or the counts, give.
        differing: Those that do not.
        left: How many were not recomputed, by the reason.
        faults: What else the record says that cannot be, in words.
        resting: How many verdicts rest on ends of intervals that were not recomputed.
    """

    numbers: int
    agreeing: int
    differing: tuple[Difference, ...]
    left: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    resting: int = 0


def recompute_numbers(record: Record) -> Recomputation:
    """Recompute what the record holds enough for.

    Raises:
        IntegrityError: If rows do not fit the metrics that they should give.
    """
    with record.understanding():
        return _recompute(record)


def _recompute(record: Record) -> Recomputation:
    left: Counter[str] = Counter()
    differing: list[Difference] = []
    open_ended: list[Json] = []
    numbers = agreeing = 0
    for check, metric in record.metrics():
        parts = ["value"] if metric["interval"] == "exact" else ["value", "low", "high"]
        found, why = _find(record, check, metric)
        numbers += len(parts)
        if found is not None and found.n != metric["n"]:
            differing.append(_difference(check, metric, "n", found.n))
        for part in parts:
            known = getattr(found, part) if found is not None else None
            known = _of_counts(metric, part) if known is None else known
            if known is None:
                left[why if part == "value" or metric["interval"] != "bootstrap" else RESAMPLED] += 1
                if part == parts[-1]:
                    open_ended.append(metric)
            elif isclose(known, metric[part], rel_tol=_ROUNDING, abs_tol=_ROUNDING):
                agreeing += 1
            else:
                differing.append(_difference(check, metric, part, known))
    resting = sum(finding["metric"] in open_ended for finding in record.findings)
    return Recomputation(numbers, agreeing, tuple(differing), dict(left), (*faults_of(record), *_unsaid(record)), resting)


def _unsaid(record: Record) -> Iterator[str]:
    """Numbers that the rows give, and that the record says could not be measured."""
    for check, evidence in record.evidence.items():
        for metric in evidence["metrics"]:
            if metric["value"] is not None or metric["name"] not in _RECOMPUTED or is_drawn(metric["name"]):
                continue
            try:
                found = _RECOMPUTED[metric["name"]](record, check, metric)
            except (LackingError, ArithmeticError, LookupError, TypeError, ValueError):
                continue
            if found.n > 0:
                yield f"{metric['name']} is stored as not measured, and the rows give {found.value!r}"


def _find(record: Record, check: str, metric: Json) -> tuple[Found | None, str]:
    recompute = _RECOMPUTED.get(metric["name"])
    if recompute is None:
        return None, NO_ROWS
    try:
        return recompute(record, check, metric), ""
    except LackingError as lacking:
        return None, lacking.why
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise IntegrityError(
            f"the rows of {check} do not give {metric['name']}: {type(error).__name__}",
            remedy="run the audit again, or verify with its release",
        ) from error


def _of_counts(metric: Json, part: str) -> float | None:
    """Ends of Wilson's interval follow from a proportion and its n, whether or not the rows are there."""
    count = round(metric["value"] * metric["n"])
    if part == "value" or metric["interval"] != "wilson" or not isclose(count, metric["value"] * metric["n"], abs_tol=1e-6):
        return None
    # The low end allows for proofs that are wrong by chance, and how many may be, the rows' own function knows.
    if part == "low" and metric["name"].startswith("robustness.smoothed_"):
        return None
    return wilson_interval(count, metric["n"], metric["confidence"])[part == "high"]


def _difference(check: str, metric: Json, part: str, found: float) -> Difference:
    return Difference(check, metric["name"], metric["where"], part, metric[part], found)
