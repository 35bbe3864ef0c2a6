"""What a check was asked, as far as numbers of two audits are comparable only where it was asked the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.evidence import Evidence

# How finely an interval was computed, how much is shown, and what the report says of the audit as a whole, at its top.
_ANYWHERE = frozenset({"resamples", "shown", "threshold", "independence"})
# What a check found out and recorded beside what it was asked.
FOUND_OUT: Mapping[str, frozenset[str]] = {
    "data.label_errors": frozenset({"rows", "thresholds"}),
    "data.quality": frozenset({"cleaning", "source"}),
    "explanation.attribution": frozenset({"rows"}),
    "fairness.groups": frozenset({"rows"}),
    "performance.compression": frozenset({"bits", "prune", "zeros"}),
    "robustness.attack": frozenset({"evaluations", "rows"}),
    "robustness.backdoor": frozenset({"rows_used"}),
    "robustness.bounds": frozenset({"exact_rows", "rows"}),
    "robustness.corruptions": frozenset({"rows"}),
    "robustness.distance": frozenset({"queries_spent", "rows"}),
    "robustness.feature_costs": frozenset({"not_valid", "queries", "rows"}),
    "robustness.invariance": frozenset({"rows"}),
    "robustness.out_of_distribution": frozenset({"rows"}),
    "robustness.smoothing": frozenset({"rows"}),
    "robustness.text_edits": frozenset({"evaluations", "flat", "not_read_alike", "rows"}),
    "robustness.transfer": frozenset({"own_rows", "rows"}),
}


def asked_otherwise(old: Evidence, new: Evidence) -> tuple[tuple[str, Any, Any], ...]:
    """What a check was asked differently: each option, and what it was and is."""
    passed_over = _ANYWHERE | FOUND_OUT.get(new.check, frozenset())
    options = sorted((old.parameters.keys() | new.parameters.keys()) - passed_over)
    absent = object()
    return tuple(
        (option, old.parameters.get(option), new.parameters.get(option))
        for option in options
        if old.parameters.get(option, absent) != new.parameters.get(option, absent)
    )
