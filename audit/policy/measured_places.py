"""What each metric is told of: the keys that `where` may have, the values of those that have few, and the range of a limit."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from audit.policy.rule import Rule
from classifier.errors import ConfigurationError, did_you_mean

_GROUPS = ("attribute", "group")
_ATTACKED = ("eps", "norm", "rows")
_STRANGE = ("score", "set", "distance")
#: Keys of `where`, by metric. A metric that is not here is measured once, on everything.
WHERE: Mapping[str, tuple[str, ...]] = {
    "explanation.completeness_error": ("method",),
    "explanation.importance": ("method", "feature"),
    "fairness.accuracy": _GROUPS,
    "fairness.accuracy_gap": ("attribute",),
    "fairness.approval_rate": _GROUPS,
    "fairness.bad_rate_among_approved": _GROUPS,
    "fairness.equal_opportunity_difference": ("attribute",),
    "fairness.roc_auc": _GROUPS,
    "fairness.selection_ratio": ("attribute",),
    "privacy.membership_auc": ("attack",),
    "privacy.membership_tpr": ("attack", "fpr"),
    "robustness.accuracy": _ATTACKED,
    "robustness.accuracy_by_distance": _ATTACKED,
    "robustness.certified_accuracy": _ATTACKED,
    "robustness.corruption_accuracy": ("corruption", "severity"),
    "robustness.corruption_brier": ("corruption",),
    "robustness.corruption_calibration_error": ("corruption",),
    "robustness.exact_accuracy": _ATTACKED,
    "robustness.invariance": ("test",),
    "robustness.least_distance": ("norm", "quantile", "rows"),
    "robustness.mean_corruption_accuracy": ("corruption",),
    "robustness.negation_unchanged": ("test",),
    "robustness.ood_auroc": _STRANGE,
    "robustness.ood_fpr_at_95_tpr": _STRANGE,
    "robustness.ood_kept": ("score",),
    "robustness.ood_threshold": ("score",),
    "robustness.single_feature_change": ("feature",),
    "robustness.single_feature_share": ("feature", "features"),
    "robustness.smoothed_abstentions": ("sigma",),
    "robustness.smoothed_accuracy": ("sigma",),
    "robustness.smoothed_certified_accuracy": ("sigma", "radius"),
    "robustness.surrogate_fidelity": ("queries", "answers"),
    "robustness.text_accuracy": ("edits", "budget"),
    "robustness.transfer_accuracy": (*_ATTACKED, "queries"),
    "robustness.trigger_anomaly": ("class",),
    "robustness.trigger_p_value": ("class",),
    "robustness.trigger_size": ("class",),
    "robustness.trigger_success": ("class",),
    "supply_chain.findings": ("severity",),
}
_SEVERITIES = ("low", "medium", "high")
#: Values of the keys that have the same few in every audit; of a metric, where another has a key of that name.
VALUES: Mapping[str, tuple[str, ...]] = {
    "norm": ("Linf", "L2"),
    "rows": ("any", "valid"),
    "features": ("any",),
    "attack": ("loss_threshold",),
    "distance": ("near", "far", "given"),
    "supply_chain.findings severity": _SEVERITIES,
}
#: Metrics that lie elsewhere than between 0 and 1.
RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(
        (
            "data.rows",
            "data.missing_values",
            "data.duplicates_across_splits",
            "data.rows_outside_bounds",
            "data.smallest_class",
            "data.suspected_labels",
            "explanation.completeness_error",
            "explanation.importance",
            "performance.log_loss",
            "robustness.least_distance",
            "robustness.single_feature_change",
            "robustness.trigger_anomaly",
            "supply_chain.findings",
            "supply_chain.files",
            "supply_chain.files_not_looked_into",
        ),
        (0, inf),
    ),
    **dict.fromkeys(
        (
            "explanation.agreement",
            "performance.compression_accuracy_change",
            "performance.gain_over_majority",
            "performance.generalisation_gap",
        ),
        (-1, 1),
    ),
    # Of several classes the squares of two whole mistakes come together.
    **dict.fromkeys(("performance.brier", "robustness.corruption_brier"), (0, 2)),
    "robustness.ood_threshold": (-inf, inf),
}


def require_askable(rule: Rule) -> None:
    """Refuse a rule whose `where` no measurement could have, or whose limit decides nothing.

    Args:
        rule: A rule about a metric that a check gives.

    Raises:
        ConfigurationError: With the nearest key or value, or with the range of the metric.
    """
    known = WHERE.get(rule.metric, ())
    for key, value in rule.where.items():
        if key not in known:
            remedy = did_you_mean(key, known) if known else "leave where out: the metric is measured once, on all rows"
            raise ConfigurationError(f"the rule {rule.id!r} has {key!r} in where, by which {rule.metric} is never told", remedy=remedy)
        values = VALUES.get(f"{rule.metric} {key}", VALUES.get(key, ()))
        if values and value not in values:
            raise ConfigurationError(
                f"the rule {rule.id!r} asks for {key} = {value!r}, which {rule.metric} never has", remedy=did_you_mean(str(value), values)
            )
    if "group" in rule.where and "attribute" not in rule.where:
        raise ConfigurationError(
            f"the rule {rule.id!r} is about the group {rule.where['group']!r} of no attribute", remedy="name its attribute in where too"
        )
    low, high = RANGES.get(rule.metric, (0, 1))
    for name, limit in (("min", rule.min), ("max", rule.max)):
        if limit is not None and not low <= limit <= high:
            remedy = "state shares as fractions: 0.95 for 95 %" if high == 1 else "correct the limit"
            raise ConfigurationError(
                f"the rule {rule.id!r} has {name} = {limit:g}, and {rule.metric} lies between {low:g} and {high:g}", remedy=remedy
            )
