"""Accuracy, calibration and decision once more, from the probability of each class and the label of each test row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import fsum, log

from audit.recomputation.intervals import area_under_curve, delong_interval, wilson_interval
from audit.recomputation.record import Found, Json, LackingError, Recompute, Record

CHECK = "performance.accuracy"
# Where logits are clipped too: what has no probability at all would lose without bound.
_LEAST = 1e-12


def share(hits: Sequence[object], confidence: float) -> Found:
    """A proportion with Wilson's interval.

    Raises:
        LackingError: If there is no row.
    """
    if not hits:
        raise LackingError
    count = sum(map(bool, hits))
    return Found(count / len(hits), len(hits), *wilson_interval(count, len(hits), confidence))


def decide(probabilities: Sequence[Sequence[float]], threshold: float) -> list[int]:
    """The class that each row is taken for: of two by the threshold of the second, else the likeliest."""
    if probabilities and len(probabilities[0]) == 2:
        return [int(row[1] >= threshold) for row in probabilities]
    return [max(range(len(row)), key=row.__getitem__) for row in probabilities]


def predicted(record: Record) -> tuple[list[Sequence[float]], Sequence[int], list[int]]:
    """Probabilities, labels and decisions of the test rows."""
    arrays = record.arrays(CHECK)
    if "probabilities" not in arrays or "labels" not in arrays:
        raise LackingError
    probabilities = arrays.table("probabilities")
    labels = [int(label) for label in arrays.column("labels")]
    return probabilities, labels, decide(probabilities, record.identity["threshold"])


def _right(record: Record) -> list[bool]:
    _, labels, decided = predicted(record)
    return [label == taken for label, taken in zip(labels, decided, strict=True)]


def _accuracy(record: Record, check: str, metric: Json) -> Found:
    return share(_right(record), metric["confidence"])


def _balanced(record: Record, check: str, metric: Json) -> Found:
    _, labels, decided = predicted(record)
    rows = Counter(labels)
    right = Counter(label for label, taken in zip(labels, decided, strict=True) if label == taken)
    return Found(fsum(right[label] / count for label, count in rows.items()) / len(rows), len(labels))


def _ranking(record: Record, check: str, metric: Json) -> Found:
    probabilities, labels, _ = predicted(record)
    if len(probabilities[0]) == 2:
        value, low, high = delong_interval([row[1] for row in probabilities], [label == 1 for label in labels], metric["confidence"])
        return Found(value, len(labels), low, high)
    classes = sorted(set(labels))
    areas = [area_under_curve([row[k] for row in probabilities], [label == k for label in labels]) for k in classes]
    return Found(fsum(areas) / len(areas), len(labels))


def _log_loss(record: Record, check: str, metric: Json) -> Found:
    probabilities, labels, _ = predicted(record)
    return Found(fsum(-log(max(row[k], _LEAST)) for row, k in zip(probabilities, labels, strict=True)) / len(labels), len(labels))


def _brier(record: Record, check: str, metric: Json) -> Found:
    probabilities, labels, _ = predicted(record)
    squares = fsum((p - (k == label)) ** 2 for row, label in zip(probabilities, labels, strict=True) for k, p in enumerate(row))
    return Found(squares / len(labels) / (2 if len(probabilities[0]) == 2 else 1), len(labels))


def _calibration_gap(record: Record, check: str, metric: Json) -> Found:
    probabilities, labels, _ = predicted(record)
    return Found(abs(fsum(row[1] - (label == 1) for row, label in zip(probabilities, labels, strict=True))) / len(labels), len(labels))


def favourable(record: Record) -> int:
    """The class that the person concerned wants."""
    if record.identity["favourable"] is None:
        raise LackingError
    return list(record.identity["classes"]).index(record.identity["favourable"])


def _approval(record: Record, check: str, metric: Json) -> Found:
    wanted = favourable(record)
    return share([taken == wanted for taken in predicted(record)[2]], metric["confidence"])


def _bad_rate(record: Record, check: str, metric: Json) -> Found:
    wanted, (_, labels, decided) = favourable(record), predicted(record)
    return share([label != wanted for label, taken in zip(labels, decided, strict=True) if taken == wanted], metric["confidence"])


def _gain(record: Record, check: str, metric: Json) -> Found:
    _, labels, _ = predicted(record)
    return Found((sum(_right(record)) - max(Counter(labels).values())) / len(labels), len(labels))


RECOMPUTED: Mapping[str, Recompute] = {
    "performance.accuracy": _accuracy,
    "performance.balanced_accuracy": _balanced,
    "performance.roc_auc": _ranking,
    "performance.log_loss": _log_loss,
    "performance.brier": _brier,
    "performance.calibration_gap": _calibration_gap,
    "performance.approval_rate": _approval,
    "performance.bad_rate_among_approved": _bad_rate,
    "performance.gain_over_majority": _gain,
}
