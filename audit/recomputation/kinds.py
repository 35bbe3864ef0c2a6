"""What kind of number each metric is: how its interval is made, and whether it estimates the truth or bounds it.

A record that could say so by itself could call any interval exact, or any bound an estimate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isclose, isfinite

from audit.recomputation.record import Json

_CONFIDENCE = 0.95
_ROUNDING = 1e-9
_SHARE, _EXACT, _DRAWN, _RANKED, _TAIL = ("wilson",), ("exact",), ("bootstrap",), ("delong", "clopper-pearson"), ("clopper-pearson",)
_INTERVALS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("data.duplicates_across_splits", "data.missing_values", "data.rows", "data.rows_outside_bounds"), _EXACT),
    **dict.fromkeys(("data.smallest_class", "data.suspected_labels", "explanation.completeness_error"), _EXACT),
    **dict.fromkeys(("robustness.trigger_anomaly", "robustness.trigger_size"), _EXACT),
    **dict.fromkeys(("supply_chain.files", "supply_chain.files_not_looked_into", "supply_chain.findings"), _EXACT),
    **dict.fromkeys(("data.label_disagreement", "explanation.agreement", "explanation.importance", "fairness.accuracy_gap"), _DRAWN),
    **dict.fromkeys(("fairness.equal_opportunity_difference", "fairness.selection_ratio", "performance.balanced_accuracy"), _DRAWN),
    **dict.fromkeys(("performance.brier", "performance.calibration_gap", "performance.compression_accuracy_change"), _DRAWN),
    **dict.fromkeys(("performance.gain_over_majority", "performance.generalisation_gap", "performance.log_loss"), _DRAWN),
    **dict.fromkeys(("robustness.corruption_brier", "robustness.corruption_calibration_error", "robustness.least_distance"), _DRAWN),
    **dict.fromkeys(("robustness.mean_corruption_accuracy", "robustness.ood_threshold", "robustness.single_feature_change"), _DRAWN),
    "robustness.worst_corruption_accuracy": _DRAWN,
    **dict.fromkeys(("fairness.accuracy", "fairness.approval_rate", "fairness.bad_rate_among_approved", "performance.accuracy"), _SHARE),
    **dict.fromkeys(("performance.approval_rate", "performance.bad_rate_among_approved", "performance.compression_agreement"), _SHARE),
    **dict.fromkeys(("robustness.accuracy", "robustness.accuracy_by_distance", "robustness.certified_accuracy"), _SHARE),
    **dict.fromkeys(("robustness.clean_accuracy", "robustness.corruption_accuracy", "robustness.exact_accuracy"), _SHARE),
    **dict.fromkeys(("robustness.invariance", "robustness.negation_unchanged", "robustness.ood_kept"), _SHARE),
    **dict.fromkeys(("robustness.single_feature_share", "robustness.smoothed_abstentions", "robustness.smoothed_accuracy"), _SHARE),
    **dict.fromkeys(("robustness.smoothed_certified_accuracy", "robustness.surrogate_fidelity", "robustness.text_accuracy"), _SHARE),
    **dict.fromkeys(("robustness.text_clean_accuracy", "robustness.transfer_accuracy", "robustness.trigger_success"), _SHARE),
    "robustness.unsmoothed_accuracy": _SHARE,
    **dict.fromkeys(("fairness.roc_auc", "privacy.membership_auc", "robustness.ood_auroc"), _RANKED),
    # Of several classes it is a mean of areas, which has no such variance.
    "performance.roc_auc": (*_RANKED, *_DRAWN),
    **dict.fromkeys(("performance.learned_p_value", "privacy.membership_tpr", "robustness.ood_fpr_at_95_tpr"), _TAIL),
    "robustness.trigger_p_value": _TAIL,
    "data.label_noise": ("profile likelihood",),
}
_BOUNDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("robustness.accuracy", "robustness.accuracy_by_distance", "robustness.least_distance"), ("upper",)),
    **dict.fromkeys(("robustness.invariance", "robustness.text_accuracy", "robustness.transfer_accuracy"), ("upper",)),
    "robustness.trigger_size": ("upper",),
    **dict.fromkeys(("data.label_noise", "robustness.certified_accuracy", "robustness.smoothed_accuracy"), ("lower",)),
    **dict.fromkeys(("robustness.smoothed_certified_accuracy", "robustness.trigger_success"), ("lower",)),
    # Another attack may find more members; earlier releases did not say so.
    **dict.fromkeys(("privacy.membership_auc", "privacy.membership_tpr"), ("estimate", "lower")),
    # Where every value of a feature is tried, it is what it is.
    "robustness.single_feature_change": ("estimate", "upper"),
    "robustness.single_feature_share": ("estimate", "lower"),
}
# What is a bound wherever the test rows may have been learned from.
_SCORES = frozenset(f"performance.{name}" for name in ("accuracy", "balanced_accuracy", "roc_auc", "log_loss", "brier"))
# Where all groups are alike, every draw sets some apart: the one value that may lie beyond the ends.
_ALIKE: Mapping[str, float] = {
    "fairness.accuracy_gap": 0.0,
    "fairness.equal_opportunity_difference": 0.0,
    "fairness.selection_ratio": 1.0,
}  # fmt: skip


def is_drawn(name: str) -> bool:
    """Whether the interval of a metric may come from resampling, which may also fail where the number itself is there."""
    return "bootstrap" in _INTERVALS.get(name, _DRAWN)


def faults_of_kind(metric: Json, *, flattered: bool) -> Iterable[str]:
    """What a metric says of its interval, bound or confidence that no check says of it.

    Args:
        metric: A metric that has a value.
        flattered: Whether the test rows may have been learned from, so that scores on them are bounds.
    """
    name, value, low, high = metric["name"], metric["value"], metric["low"], metric["high"]
    if not all(isfinite(number) for number in (value, low, high)):
        yield f"{name} is stored as {value!r} from {low!r} to {high!r}, which are no numbers"
        return
    slack = _ROUNDING * max(1.0, abs(value))
    alike = name in _ALIKE and isclose(value, _ALIKE[name], abs_tol=_ROUNDING)
    if low > high or not (alike or low - slack <= value <= high + slack):
        yield f"{name} is stored as {value!r} with an interval from {low!r} to {high!r}"
    if metric["interval"] == "exact" and not low == value == high:
        yield f"{name} is stored as exact, with an interval from {low!r} to {high!r}"
    known = _INTERVALS.get(name)
    if known is not None and metric["interval"] not in known:
        yield f"{name} is stored with an interval {metric['interval']!r}, and its check makes {' or '.join(known)}"
    bounds = _BOUNDS.get(name, ("estimate",)) if known is not None else ("estimate", "lower", "upper")
    if flattered and bounds == ("estimate",):
        marked = "upper" if metric["better"] == "higher" else "lower"
        bounds = (marked,) if name in _SCORES else (*bounds, marked)
    if metric.get("bound", "estimate") not in bounds:
        yield f"{name} is stored as bound {metric['bound']!r}, and its check gives {' or '.join(bounds)}"
    if metric["confidence"] != _CONFIDENCE:
        yield f"{name} is stored with a confidence of {metric['confidence']!r}, and checks take {_CONFIDENCE}"
