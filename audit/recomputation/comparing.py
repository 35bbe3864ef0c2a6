"""Every number of a record against what the rows give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isclose

from audit.public_record import write_public
from audit.recomputation import explanation, fairness, label_errors, performance, privacy, robustness
from audit.recomputation.intervals import wilson_interval
from audit.recomputation.record import NO_ROWS, RESAMPLED, Found, Json, LackingError, Recompute, Record, read_json
from audit.redactions import PUBLIC, RECORD
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
    """

    numbers: int
    agreeing: int
    differing: tuple[Difference, ...]
    left: Mapping[str, int] = field(default_factory=dict)


def recompute_numbers(record: Record) -> Recomputation:
    """Recompute what the record holds enough for.

    Raises:
        IntegrityError: If rows do not fit the metrics that they should give.
    """
    left: Counter[str] = Counter()
    differing: list[Difference] = []
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
            elif isclose(known, metric[part], rel_tol=_ROUNDING, abs_tol=_ROUNDING):
                agreeing += 1
            else:
                differing.append(_difference(check, metric, part, known))
    return Recomputation(numbers, agreeing, tuple(differing), dict(left))


def require_one_record(record: Record) -> None:
    """Refuse a bundle whose parts tell different things: readers of either would take it for the whole.

    Raises:
        IntegrityError: If the record and the evidence beside it differ, or one of them tells of a check that the other does not.
    """
    bundle, folder = record.bundle, record.bundle.folder
    for check, told in record.evidence.items():
        name = f"evidence/{check}.json"
        if name in bundle.withheld:
            continue
        if name not in bundle.files:
            raise IntegrityError(f"{folder / name} is missing: {record.name} tells of that check", remedy="take the whole bundle")
        if read_json(bundle, name) != told:
            raise IntegrityError(f"{folder / name} and {record.name} tell different things of one check", remedy="run the audit again")
    if record.name == RECORD and PUBLIC in bundle.files and bundle.read(PUBLIC) != write_public(record.content):
        raise IntegrityError(f"{folder / PUBLIC} is not {RECORD} without single cases", remedy="run the audit again")
    for name in sorted(bundle.files):
        if name.startswith("evidence/") and name.endswith(".json") and name[9:-5] not in record.evidence:
            raise IntegrityError(f"{folder / name} is of a check that {record.name} does not tell of", remedy="run the audit again")


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
