"""Results row by row that a bundle keeps, and the number that each metric is of them.

What is read is held against the number in the record: where it gives another, it is not what the metric is of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.bundle import Audit
from audit.comparison.paired import Hits, Rows, Scores, Shares
from audit.comparison.stored_groups import distance_rows, group_rows
from audit.evidence import Evidence
from classifier.metric import Metric

Read = Callable[[Audit, Evidence, Metric], Rows | None]


def read_rows(audit: Audit, evidence: Evidence, metric: Metric) -> Rows | None:
    """What each row gave that a metric is of; ``None`` where the bundle does not keep it, or it is sealed.

    Args:
        audit: The audit.
        evidence: The evidence that holds the metric.
        metric: One of its metrics, with a value.
    """
    read = READERS.get(metric.name)
    if read is None or metric.value is None:
        return None
    try:
        rows = read(audit, evidence, metric)
    except (KeyError, IndexError, ValueError):
        # Not kept, or kept in another form by another release.
        return None
    return rows if rows is not None and math.isclose(rows.value, metric.value, rel_tol=1e-6, abs_tol=1e-9) else None


def _presumed(audit: Audit, evidence: Evidence) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The class that each row was taken for, and its label."""
    probabilities, labels = evidence.arrays["probabilities"], evidence.arrays["labels"]
    if probabilities.shape[1] == 2:
        return (probabilities[:, 1] >= audit.identity.threshold).astype(np.int64), labels
    return probabilities.argmax(1), labels


def _right(audit: Audit, evidence: Evidence, _: Metric) -> Rows:
    presumed, labels = _presumed(audit, evidence)
    return Hits(evidence.arrays["ids"], presumed == labels)


def _right_of_these(audit: Audit, evidence: Evidence, metric: Metric) -> Rows:
    """Which rows of a smaller sample are decided rightly: the check of accuracy kept it of all test rows."""
    every = audit["performance.accuracy"]
    presumed, labels = _presumed(audit, every)
    right = dict(zip(every.arrays["ids"].tolist(), (presumed == labels).tolist(), strict=True))
    ids = evidence.arrays["ids"]
    return Hits(ids, np.array([right[row] for row in ids.tolist()], dtype=bool))


def _gain(audit: Audit, _: Evidence, metric: Metric) -> Rows:
    every = audit["performance.accuracy"]
    presumed, labels = _presumed(audit, every)
    commonest = np.bincount(labels).argmax()
    return _mean(every.arrays["ids"], (presumed == labels).astype(float) - (labels == commonest))


def _balanced(audit: Audit, evidence: Evidence, _: Metric) -> Rows:
    presumed, labels = _presumed(audit, evidence)
    member = (labels[:, None] == np.unique(labels)).astype(float)
    return Shares(evidence.arrays["ids"], member * (presumed == labels)[:, None], member)


def _ranking(_: Audit, evidence: Evidence, __: Metric) -> Rows | None:
    probabilities, labels = evidence.arrays["probabilities"], evidence.arrays["labels"]
    return Scores(evidence.arrays["ids"], probabilities[:, 1], labels == 1) if probabilities.shape[1] == 2 else None


def _log_loss(_: Audit, evidence: Evidence, __: Metric) -> Rows:
    probabilities, labels = evidence.arrays["probabilities"], evidence.arrays["labels"]
    return _mean(evidence.arrays["ids"], -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, None)))


def _brier(_: Audit, evidence: Evidence, __: Metric) -> Rows:
    probabilities, labels = evidence.arrays["probabilities"], evidence.arrays["labels"]
    squares = ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(1)
    return _mean(evidence.arrays["ids"], squares / (2 if probabilities.shape[1] == 2 else 1))


def _calibration_gap(audit: Audit, _: Evidence, __: Metric) -> Rows:
    every = audit["performance.accuracy"]
    gaps = every.arrays["probabilities"][:, 1] - (every.arrays["labels"] == 1)
    return Shares(every.arrays["ids"], gaps[:, None], np.ones((len(gaps), 1)), "size")


def _approved(audit: Audit) -> tuple[Evidence, NDArray[np.bool_], NDArray[np.bool_]]:
    every = audit["performance.accuracy"]
    presumed, labels = _presumed(audit, every)
    favourable = audit.identity.classes.index(str(audit.identity.favourable))
    return every, presumed == favourable, labels != favourable


def _approval_rate(audit: Audit, _: Evidence, __: Metric) -> Rows:
    every, approved, _bad = _approved(audit)
    return Hits(every.arrays["ids"], approved)


def _bad_rate(audit: Audit, _: Evidence, __: Metric) -> Rows:
    every, approved, bad = _approved(audit)
    return Shares(every.arrays["ids"], (approved & bad).astype(float)[:, None], approved.astype(float)[:, None])


def _standing(prefix: str) -> Read:
    """Which rows stand at the radius, of the kind of rows, that the metric says."""

    def read(_: Audit, evidence: Evidence, metric: Metric) -> Rows:
        return Hits(evidence.arrays["ids"], evidence.arrays[f"{prefix}_{metric.where['rows']}_{metric.where['eps']:g}"].astype(bool))

    return read


def _of_the_last_copy(name: str) -> Read:
    """What is kept of the copy that was trained on most answers."""

    def read(_: Audit, evidence: Evidence, metric: Metric) -> Rows | None:
        last = max(evidence.parameters["queries"])
        return Hits(evidence.arrays["ids"], evidence.arrays[name].astype(bool)) if metric.where["queries"] == last else None

    return read


def _far_enough(_: Audit, evidence: Evidence, metric: Metric) -> Rows:
    return Hits(evidence.arrays["ids"], evidence.arrays[f"distance_{metric.where['norm']}"] > metric.where["eps"])


def _smoothed(_: Audit, evidence: Evidence, metric: Metric) -> Rows:
    arrays, sigma = evidence.arrays, f"{metric.where['sigma']:g}"
    right = arrays[f"predicted_{sigma}"] == arrays["labels"]
    return Hits(arrays["ids"], right & (arrays[f"radius_{sigma}"] >= metric.where.get("radius", 0.0)))


def _corrupted(_: Audit, evidence: Evidence, metric: Metric) -> Rows:
    kind = metric.where["corruption"]
    if kind == "none":
        return Hits(evidence.arrays["ids"], evidence.arrays["right_none"])
    severity = sorted(evidence.parameters["severities"]).index(metric.where["severity"])
    return Hits(evidence.arrays["ids"], evidence.arrays[f"right_{kind}"][:, severity])


def _mean_corrupted(_: Audit, evidence: Evidence, metric: Metric) -> Rows:
    kind = metric.where["corruption"]
    kinds = evidence.parameters["done"] if kind == "all" else [kind]
    return _mean(evidence.arrays["ids"], np.mean([evidence.arrays[f"right_{kind}"].mean(1) for kind in kinds], axis=0))


def _worst_corrupted(_: Audit, evidence: Evidence, __: Metric) -> Rows:
    rows = np.stack([evidence.arrays[f"right_{kind}"].mean(1) for kind in evidence.parameters["done"]], axis=1)
    return Shares(evidence.arrays["ids"], rows, np.ones_like(rows), "least")


def _members(_: Audit, evidence: Evidence, __: Metric) -> Rows:
    return Scores(evidence.arrays["ids"], evidence.arrays["scores"], evidence.arrays["members"])


def _unchanged(_: Audit, evidence: Evidence, metric: Metric) -> Rows:
    tested = evidence.arrays[f"tested_{metric.where['test']}"]
    return Hits(evidence.arrays["ids"][tested], ~evidence.arrays[f"turned_{metric.where['test']}"][tested])


def _mean(ids: NDArray[np.int64], values: Any) -> Shares:
    return Shares(ids, np.asarray(values, dtype=float)[:, None], np.ones((len(ids), 1)))


#: What is kept of which metric. The ids are of test rows, but for membership and groups, which go through other rows too.
READERS: Mapping[str, Read] = {
    "performance.accuracy": _right,
    "performance.balanced_accuracy": _balanced,
    "performance.roc_auc": _ranking,
    "performance.log_loss": _log_loss,
    "performance.brier": _brier,
    "performance.calibration_gap": _calibration_gap,
    "performance.gain_over_majority": _gain,
    "performance.approval_rate": _approval_rate,
    "performance.bad_rate_among_approved": _bad_rate,
    **dict.fromkeys(("fairness.accuracy", "fairness.approval_rate", "fairness.bad_rate_among_approved", "fairness.roc_auc"), group_rows),
    **dict.fromkeys(
        ("fairness.accuracy_gap", "fairness.equal_opportunity_difference", "fairness.selection_ratio"),
        distance_rows,
    ),
    "robustness.clean_accuracy": _right_of_these,
    "robustness.unsmoothed_accuracy": _right_of_these,
    "robustness.accuracy": _standing("robust"),
    "robustness.certified_accuracy": _standing("certified"),
    "robustness.transfer_accuracy": _of_the_last_copy("robust"),
    "robustness.surrogate_fidelity": _of_the_last_copy("alike"),
    "robustness.accuracy_by_distance": _far_enough,
    "robustness.smoothed_accuracy": _smoothed,
    "robustness.smoothed_certified_accuracy": _smoothed,
    "robustness.corruption_accuracy": _corrupted,
    "robustness.mean_corruption_accuracy": _mean_corrupted,
    "robustness.worst_corruption_accuracy": _worst_corrupted,
    "robustness.invariance": _unchanged,
    "privacy.membership_auc": _members,
}
