"""Robustness once more, from whether each row stood, was proven to stand, or stayed right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, floor, fsum, inf, isfinite

from audit.recomputation.intervals import delong_interval, exact_interval
from audit.recomputation.performance import CHECK, predicted, share
from audit.recomputation.record import Found, Json, LackingError, Recompute, Record

# What is stored of a row whose exact answer is that it stands, and of one of which no majority is proven.
_ROBUST, _ABSTAINED = 1, -1


def _standing(prefix: str) -> Recompute:
    """The share of rows that an array ``PREFIX_KIND_EPS`` says of that they stand."""

    def recompute(record: Record, check: str, metric: Json) -> Found:
        where = metric["where"]
        return share(list(record.column(check, f"{prefix}_{where['rows']}_{where['eps']:g}")), metric["confidence"])

    return recompute


def _exact(record: Record, check: str, metric: Json) -> Found:
    where = metric["where"]
    states, asked = record.column(check, f"exact_{where['rows']}_{where['eps']:g}"), record.column(check, "exact_asked")
    return share([state == _ROBUST for state, was_asked in zip(states, asked, strict=True) if was_asked], metric["confidence"])


def _clean(record: Record, check: str, metric: Json) -> Found:
    """The decisions are those that the accuracy was measured on, of the same rows."""
    _, labels, decided = predicted(record)
    right = dict(zip(record.column(CHECK, "ids"), (a == b for a, b in zip(labels, decided, strict=True)), strict=True))
    return share([right[row] for row in record.column(check, "ids")], metric["confidence"])


def _by_distance(record: Record, check: str, metric: Json) -> Found:
    distances = record.column(check, f"distance_{metric['where']['norm']}")
    return share([distance > metric["where"]["eps"] for distance in distances], metric["confidence"])


def _least_distance(record: Record, check: str, metric: Json) -> Found:
    """The quantile over the rows that are decided rightly, which in any norm are the same."""
    norm = metric["where"]["norm"]
    others = [record.column(check, f"distance_{name}") for name in record.parameter(check, "norms")]
    right = [distance > 0 for distance in others[0]]
    distances = sorted(d for d, is_right in zip(record.column(check, f"distance_{norm}"), right, strict=True) if is_right)
    return Found(distances[max(0, ceil(metric["where"]["quantile"] * len(distances) - 1e-9) - 1)], len(distances))


def _corrupted(record: Record, check: str, kind: str) -> list[Sequence[float]]:
    """Whether each row stayed right under a corruption at each severity."""
    arrays = record.arrays(check)
    if f"right_{kind}" not in arrays:
        raise LackingError
    return arrays.table(f"right_{kind}")


def _corruption(record: Record, check: str, metric: Json) -> Found:
    kind, severity = metric["where"]["corruption"], metric["where"]["severity"]
    if kind == "none":
        return share(list(record.column(check, "right_none")), metric["confidence"])
    place = sorted(set(record.parameter(check, "severities"))).index(severity)
    return share([row[place] for row in _corrupted(record, check, kind)], metric["confidence"])


def _mean_corruption(record: Record, check: str, metric: Json) -> Found:
    done = record.parameter(check, "done")
    kinds = [metric["where"]["corruption"]] if metric["where"]["corruption"] in done else done
    means = [_mean(_corrupted(record, check, kind)) for kind in kinds]
    return Found(fsum(means) / len(means), metric["n"])


def _worst_corruption(record: Record, check: str, metric: Json) -> Found:
    return Found(min(_mean(_corrupted(record, check, kind)) for kind in record.parameter(check, "done")), metric["n"])


def _mean(rows: list[Sequence[float]]) -> float:
    return sum(map(sum, rows)) / sum(map(len, rows))


def _turned_by_one(record: Record, check: str, metric: Json) -> Found:
    """The share of rows that one feature alone turns, which are those that a least change of it is stored of."""
    where = metric["where"]
    turned = [[isfinite(change) for change in row] for row in _changes(record, check)]
    if where.get("features") == "any":
        return share([any(row) for row in turned], metric["confidence"])
    place = list(record.parameter(check, "features")).index(where["feature"])
    return share([row[place] for row in turned], metric["confidence"])


def _median_change(record: Record, check: str, metric: Json) -> Found:
    place = list(record.parameter(check, "features")).index(metric["where"]["feature"])
    sizes = sorted(abs(row[place]) for row in _changes(record, check) if isfinite(row[place]))
    return Found(sizes[(len(sizes) + 1) // 2 - 1], len(sizes))


def _changes(record: Record, check: str) -> list[Sequence[float]]:
    arrays = record.arrays(check)
    if "change" not in arrays:
        raise LackingError
    return arrays.table("change")


def _told_apart(record: Record, check: str, metric: Json) -> Found:
    known, outside = _scores(record, check, metric)
    value, low, high = delong_interval([*known, *outside], [True] * len(known) + [False] * len(outside), metric["confidence"])
    return Found(value, len(known) + len(outside), low, high)


def _taken_for_known(record: Record, check: str, metric: Json) -> Found:
    known, outside = _scores(record, check, metric)
    threshold = _threshold(known)
    count = sum(score >= threshold for score in outside)
    return Found(count / len(outside), len(outside), *exact_interval(count, len(outside), metric["confidence"]))


def _abstains_below(record: Record, check: str, metric: Json) -> Found:
    known = record.column(check, f"score_{metric['where']['score']}")
    return Found(_threshold(known), len(known))


def _scores(record: Record, check: str, metric: Json) -> tuple[Sequence[float], Sequence[float]]:
    score = metric["where"]["score"]
    return record.column(check, f"score_{score}"), record.column(check, f"score_{score}_{metric['where']['set']}")


def _threshold(known: Sequence[float], kept: float = 0.95) -> float:
    """The largest score that at least the share `kept` of the known rows reach."""
    return sorted(known)[floor((1 - kept) * len(known) + 1e-9)]


def _smoothed(record: Record, check: str, metric: Json) -> Found:
    """Rows that the smoothed classifier decides rightly within a radius; each may be proven by mistake with a chance of alpha."""
    radius, confidence = metric["where"].get("radius", -inf), metric["confidence"]
    found = share([right and within >= radius for right, within in _proven(record, check, metric)], confidence)
    assert found.low is not None  # `share` gives one
    return replace(found, low=max(0.0, found.low - record.parameter(check, "alpha")))


def _proven(record: Record, check: str, metric: Json) -> list[tuple[bool, float]]:
    sigma, labels = f"{metric['where']['sigma']:g}", record.column(check, "labels")
    predictions, radii = record.column(check, f"predicted_{sigma}"), record.column(check, f"radius_{sigma}")
    return [(label == taken, radius) for label, taken, radius in zip(labels, predictions, radii, strict=True)]


def _abstained(record: Record, check: str, metric: Json) -> Found:
    predictions = record.column(check, f"predicted_{metric['where']['sigma']:g}")
    return share([taken == _ABSTAINED for taken in predictions], metric["confidence"])


def _fidelity(record: Record, check: str, metric: Json) -> Found:
    """What was asked for most is stored; the curve up to there is not."""
    if metric["where"]["queries"] != max(record.parameter(check, "queries")):
        raise LackingError
    return share(list(record.column(check, "alike")), metric["confidence"])


def _transferred(record: Record, check: str, metric: Json) -> Found:
    return share(list(record.column(check, "robust")), metric["confidence"])


def _trigger(record: Record, check: str, metric: Json) -> Found:
    """The rows of other classes that the trigger was tried on, which are those that are not marked as left out."""
    place = list(record.identity["classes"]).index(metric["where"]["class"])
    return share([turned == 1 for turned in record.arrays(check).table("turned")[place] if turned >= 0], metric["confidence"])


RECOMPUTED: Mapping[str, Recompute] = {
    "robustness.clean_accuracy": _clean,
    "robustness.accuracy": _standing("robust"),
    "robustness.certified_accuracy": _standing("certified"),
    "robustness.exact_accuracy": _exact,
    "robustness.accuracy_by_distance": _by_distance,
    "robustness.least_distance": _least_distance,
    "robustness.corruption_accuracy": _corruption,
    "robustness.mean_corruption_accuracy": _mean_corruption,
    "robustness.worst_corruption_accuracy": _worst_corruption,
    "robustness.single_feature_share": _turned_by_one,
    "robustness.single_feature_change": _median_change,
    "robustness.ood_auroc": _told_apart,
    "robustness.ood_fpr_at_95_tpr": _taken_for_known,
    "robustness.ood_threshold": _abstains_below,
    "robustness.unsmoothed_accuracy": _clean,
    "robustness.smoothed_accuracy": _smoothed,
    "robustness.smoothed_abstentions": _abstained,
    "robustness.smoothed_certified_accuracy": _smoothed,
    "robustness.surrogate_fidelity": _fidelity,
    "robustness.transfer_accuracy": _transferred,
    "robustness.trigger_success": _trigger,
}
