"""Confident learning: which labels are likely wrong, and how many (Northcutt et al., 2021, arXiv:1911.00068)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.errors import DataError
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import Array, bootstrap

# A probability that rounding put just below its class's threshold still reaches it.
_ROUNDING = 1e-12
# Numbers that a resample makes at a time; 2**22 doubles are 32 MiB.
_CHUNK = 2**22


@dataclass(frozen=True)
class LabelErrors:
    """Which labels disagree with what other rows teach.

    Args:
        thresholds: Mean probability that the rows of each class give it ``(K,)``; infinite for a class without rows.
        joint: Estimated count of rows by given class (rows) and likely true class (columns) ``(K, K)``.
        suspected: Rows whose label is likely wrong by both ways of pruning ``(N,)``, bool.
        margin: Probability of the given label less that of the likeliest other one ``(N,)``; the lowest is the most suspicious.
        likely: The likeliest class other than the label ``(N,)``.
    """

    thresholds: Array
    joint: Array
    suspected: NDArray[np.bool_]
    margin: Array
    likely: NDArray[np.int64]

    @property
    def ranked(self) -> NDArray[np.int64]:
        """The suspected rows, the most suspicious first."""
        rows = np.flatnonzero(self.suspected)
        return rows[np.argsort(self.margin[rows], kind="stable")]


def find_label_errors(probabilities: Array, labels: NDArray[np.int64]) -> LabelErrors:
    """Estimate how often one class is labelled as another, and which rows those are.

    A row counts for a class if it gives it at least the mean probability of the rows labelled so. As many rows as the
    confident joint says are suspected: those of the largest margin for each pair of classes, and of the lowest
    probability of their own label for each class; a row must be both.

    Args:
        probabilities: Of each class, from a classifier that did not learn from the row ``(N, K)``.
        labels: The given classes ``(N,)``.

    Raises:
        DataError: If there are no rows, a label is no class, or a probability is not finite.
    """
    _require(probabilities, labels)
    rows, classes = probabilities.shape
    thresholds = _thresholds(np.ones((1, rows)), probabilities, labels)[0]
    joint = _calibrated(
        _counts(np.ones((1, rows)), thresholds[None], probabilities, labels), np.bincount(labels, minlength=classes).astype(float)
    )[0]
    own = probabilities[np.arange(rows), labels]
    others = probabilities.copy()
    others[np.arange(rows), labels] = -np.inf
    by_pair, by_class = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
    for given in range(classes):
        members = np.flatnonzero(labels == given)
        for other in range(classes):
            if other != given:
                by_pair[_least(members, own[members] - probabilities[members, other], joint[given, other])] = True
        by_class[_least(members, own[members], joint[given].sum() - joint[given, given])] = True
    # A label that the row itself finds the likeliest is none to suspect.
    margin = own - others.max(1)
    return LabelErrors(thresholds, joint, by_pair & by_class & (margin < 0), margin, others.argmax(1))


def disagreement(probabilities: Array, labels: NDArray[np.int64]) -> float:
    """Share of rows that count for another class than their label, by the joint; hard cases are among them.

    Args:
        probabilities: As `find_label_errors` takes them ``(N, K)``.
        labels: The given classes ``(N,)``.
    """
    return float(_rate(np.ones((1, len(labels))), probabilities, labels)[0])


def disagreement_rate(name: str, probabilities: Array, labels: NDArray[np.int64], seed: Seed, *, resamples: int = 500) -> Metric:
    """The same with a bootstrap interval that sets the thresholds anew.

    Args:
        name: Name of the metric.
        probabilities: As `find_label_errors` takes them ``(N, K)``.
        labels: The given classes ``(N,)``.
        seed: Where the resamples come from.
        resamples: How many.
    """
    _require(probabilities, labels)
    step = max(1, _CHUNK // probabilities.size)

    def statistic(weights: Array) -> Array:
        return np.concatenate([_rate(weights[start : start + step], probabilities, labels) for start in range(0, len(weights), step)])

    return bootstrap(name, statistic, len(labels), seed, strata=labels, resamples=resamples, better="lower")


def _rate(weights: Array, probabilities: Array, labels: NDArray[np.int64]) -> Array:
    """The share off the joint's diagonal of each resample ``(B,)``."""
    counts = _counts(weights, _thresholds(weights, probabilities, labels), probabilities, labels)
    given = weights @ np.eye(probabilities.shape[1])[labels]
    share: Array = 1 - np.trace(_calibrated(counts, given), axis1=1, axis2=2) / given.sum(1)
    return share.clip(0, 1)


def _require(probabilities: Array, labels: NDArray[np.int64]) -> None:
    if probabilities.ndim != 2 or len(probabilities) == 0 or labels.shape != (len(probabilities),):
        raise DataError(f"label errors need probabilities (N, K) and N labels, got {probabilities.shape} and {labels.shape}")
    if not np.isfinite(probabilities).all():
        raise DataError("the probabilities are not all finite", remedy="check the classifier that gave them")
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise DataError(f"labels must lie in 0 to {probabilities.shape[1] - 1}, got {labels.min()} to {labels.max()}")


def _thresholds(weights: Array, probabilities: Array, labels: NDArray[np.int64]) -> Array:
    """Mean self-confidence of each class, for each resample ``(B, K)``."""
    member = np.eye(probabilities.shape[1])[labels]
    total = weights @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (weights @ (member * probabilities)) / total, np.inf)


def _counts(weights: Array, thresholds: Array, probabilities: Array, labels: NDArray[np.int64]) -> Array:
    """The confident joint of each resample ``(B, K, K)``: by label, and by the likeliest class whose threshold is reached."""
    resamples, classes = thresholds.shape
    reached = probabilities[None] >= thresholds[:, None] - _ROUNDING
    likely = np.where(reached, probabilities[None], -np.inf).argmax(2)
    counted = weights * reached.any(2)
    cell = (np.arange(resamples)[:, None] * classes + labels) * classes + likely
    counts: Array = np.bincount(cell.ravel(), weights=counted.ravel(), minlength=resamples * classes**2).astype(np.float64)
    return counts.reshape(resamples, classes, classes)


def _calibrated(counts: Array, given: Array) -> Array:
    """The joint with as many rows of each given class as there are ``(B, K, K)``; a class without confident rows has no errors."""
    confident = counts.sum(2, keepdims=True)
    share = np.where(confident > 0, counts / np.maximum(confident, 1), np.eye(counts.shape[1]))
    scaled: Array = share * np.broadcast_to(given, counts.shape[:2])[..., None]
    return scaled


def _least(rows: NDArray[np.int64], values: Array, count: float) -> NDArray[np.int64]:
    """The rows of the lowest values, as many as `count` says."""
    return rows[np.argsort(values, kind="stable")[: round(count)]]
