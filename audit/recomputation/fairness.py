"""Rates by group once more, from what the decision did to each row, what the row deserved, and the group that it is in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from audit.recomputation.intervals import delong_interval
from audit.recomputation.performance import decide, favourable, share
from audit.recomputation.record import Found, Json, LackingError, Recompute, Record


@dataclass(frozen=True)
class _Row:
    score: float
    approved: bool
    good: bool
    right: bool


def _by_group(record: Record, check: str, attribute: str) -> dict[str, list[_Row]]:
    """The rows of each group of an attribute. Codes count its groups in the order of the table that shows them."""
    arrays = record.arrays(check)
    codes = f"group_{attribute}"
    if not all(name in arrays for name in ("probabilities", "labels", codes)):
        raise LackingError
    wanted, probabilities = favourable(record), arrays.table("probabilities")
    labels = [int(label) for label in arrays.column("labels")]
    names = [
        row[1] for table in record.evidence[check]["tables"] if table["name"] == "by_group" for row in table["rows"] if row[0] == attribute
    ]
    groups = defaultdict(list)
    for p, label, taken, code in zip(
        probabilities, labels, decide(probabilities, record.identity["threshold"]), arrays.column(codes), strict=True
    ):
        groups[names[int(code)]].append(_Row(p[wanted], taken == wanted, label == wanted, taken == label))
    return groups


def _of_group(record: Record, check: str, metric: Json) -> list[_Row]:
    found = _by_group(record, check, metric["where"]["attribute"]).get(metric["where"]["group"])
    if found is None:
        raise LackingError
    return found


def _approval(record: Record, check: str, metric: Json) -> Found:
    return share([row.approved for row in _of_group(record, check, metric)], metric["confidence"])


def _bad_rate(record: Record, check: str, metric: Json) -> Found:
    return share([not row.good for row in _of_group(record, check, metric) if row.approved], metric["confidence"])


def _accuracy(record: Record, check: str, metric: Json) -> Found:
    return share([row.right for row in _of_group(record, check, metric)], metric["confidence"])


def _ranking(record: Record, check: str, metric: Json) -> Found:
    rows = _of_group(record, check, metric)
    value, low, high = delong_interval([row.score for row in rows], [row.good for row in rows], metric["confidence"])
    return Found(value, len(rows), low, high)


def _between(rate: Callable[[list[_Row]], Iterable[bool]], compare: Callable[[list[float]], float]) -> Recompute:
    """A distance between the groups that are large enough to compare."""

    def recompute(record: Record, check: str, metric: Json) -> Found:
        least = record.parameter(check, "minimum")
        compared = [rows for rows in _by_group(record, check, metric["where"]["attribute"]).values() if len(rows) >= least]
        rates = []
        for rows in compared:
            hits = list(rate(rows))
            if not hits:
                raise LackingError
            rates.append(sum(hits) / len(hits))
        return Found(compare(rates), sum(map(len, compared)))

    return recompute


def _ratio(rates: list[float]) -> float:
    return min(rates) / max(rates)


def _difference(rates: list[float]) -> float:
    return max(rates) - min(rates)


RECOMPUTED: Mapping[str, Recompute] = {
    "fairness.approval_rate": _approval,
    "fairness.bad_rate_among_approved": _bad_rate,
    "fairness.accuracy": _accuracy,
    "fairness.roc_auc": _ranking,
    "fairness.selection_ratio": _between(lambda rows: (row.approved for row in rows), _ratio),
    "fairness.accuracy_gap": _between(lambda rows: (row.right for row in rows), _difference),
    "fairness.equal_opportunity_difference": _between(lambda rows: (row.approved for row in rows if row.good), _difference),
}
