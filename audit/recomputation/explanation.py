"""How much each feature weighs, and how far two methods agree, once more from the attributions of each row."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from math import fsum, sqrt

from audit.recomputation.record import Found, Json, LackingError, Recompute, Record


def _attributions(record: Record, check: str, method: str) -> list[Sequence[float]]:
    arrays = record.arrays(check)
    if method not in arrays:
        raise LackingError
    return arrays.table(method)


def _importance(record: Record, check: str, metric: Json) -> Found:
    """The mean size of a feature's column. The columns stand in the order of the features, where each is a feature's own."""
    method = metric["where"]["method"]
    rows = _attributions(record, check, method)
    told = [m for m in record.evidence[check]["metrics"] if m["name"] == metric["name"] and m["where"].get("method") == method]
    if "feature" not in metric["where"] or not rows or len(told) != len(rows[0]):
        raise LackingError
    features, names = _listed(record), [m["where"].get("feature") for m in told]
    column = features.index(metric["where"]["feature"]) if sorted(features) == sorted(map(str, names)) else told.index(metric)
    return Found(fsum(abs(row[column]) for row in rows) / len(rows), len(rows))


def _listed(record: Record) -> list[str]:
    """The features in the order in which another check lists them, as far as it was run."""
    tables = record.evidence.get("data.quality", {"tables": ()})["tables"]
    return [str(row[0]) for table in tables if table["name"] == "features" for row in table["rows"]]


def _agreement(record: Record, check: str, metric: Json) -> Found:
    """The mean over the rows of the rank correlation between the sizes that two methods give."""
    first, second = (_attributions(record, check, method) for method in _two(record.parameter(check, "methods")))
    found = [_correlation(_ranks(a), _ranks(b)) for a, b in zip(first, second, strict=True)]
    known = [value for value in found if value is not None]
    return Found(fsum(known) / len(known), len(known))


def _two(methods: Sequence[str]) -> Sequence[str]:
    if len(methods) != 2:
        raise LackingError
    return methods


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks of the sizes, less their mean; equal ones share theirs."""
    sizes = [abs(value) for value in values]
    ordered = sorted(sizes)
    return [(bisect_left(ordered, size) + bisect_right(ordered, size) - len(sizes)) / 2 for size in sizes]


def _correlation(first: list[float], second: list[float]) -> float | None:
    scale = sqrt(fsum(a * a for a in first) * fsum(b * b for b in second))
    return fsum(a * b for a, b in zip(first, second, strict=True)) / scale if scale else None


RECOMPUTED: Mapping[str, Recompute] = {
    "explanation.importance": _importance,
    "explanation.agreement": _agreement,
}
