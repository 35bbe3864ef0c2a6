"""How many labels are wrong beyond hard cases and a classifier that is too sure, by likelihood (Self and Liang, 1987)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from audit.data.label_errors import disagreement
from classifier.metric import Metric
from classifier.statistics import Array

_LEAST = 1e-12
# Factors on the logits, and shares of labels drawn anew; of labels more than half of which were, nobody would learn.
_FACTORS = np.geomspace(0.05, 20, 41)
_STEP = 0.005
_SHARES = np.arange(0, 0.5, _STEP)


def noise_rate(name: str, probabilities: Array, labels: NDArray[np.int64], *, confidence: float = 0.95) -> Metric:
    """Share of the labels that neither hard cases nor a classifier that is too sure, or not sure enough, explain; a lower bound.

    A label is as likely as the classifier says after one factor on its logits, or, with a chance that is the share, any other
    class. Both are chosen so that the labels are likeliest. Where the classifier is as unsure as the labels are noisy, the share
    is 0: errors that it has learned look like hard cases, so that the number is too small.

    Args:
        name: Name of the metric.
        probabilities: Of each class, from a classifier that did not learn from the row ``(N, K)``.
        labels: The given classes ``(N,)``.
        confidence: Coverage of the interval, of the shares whose likelihood is not too far below the largest.

    Returns:
        The share; missing where it is not to be told from 0, or the classifier is right no more often than the commonest class.
    """
    right, commonest = int((probabilities.argmax(1) == labels).sum()), int(np.bincount(labels).max())
    if right <= commonest:
        reason = (
            f"{right} of {len(labels)} rows are decided as labelled, and naming the commonest class alone decides {commonest}: "
            "from classifiers as poor as this, wrong labels are not to be told"
        )
        return Metric.missing(name, reason, n=len(labels))
    likelihood = _likelihood(probabilities, labels)
    near = np.flatnonzero(2 * (likelihood.max() - likelihood) <= stats.chi2.ppf(confidence, 1))
    low, high = max(0.0, float(_SHARES[near[0]]) - _STEP), min(1.0, float(_SHARES[near[-1]]) + _STEP)
    if low <= 0:
        reason = (
            f"not to be told from hard cases: {disagreement(probabilities, labels):.1%} of the labels disagree with what the other rows "
            "teach, about as many as would if none were wrong"
        )
        return Metric.missing(name, reason, n=len(labels))
    value = float(_SHARES[likelihood.argmax()])
    return Metric(name, value, low, high, len(labels), confidence=confidence, interval="profile likelihood", better="lower", bound="lower")


def _likelihood(probabilities: Array, labels: NDArray[np.int64]) -> Array:
    """The logarithm of each share's likelihood, with the factor that makes it largest ``(E,)``."""
    logits = np.log(probabilities.clip(_LEAST))
    logits -= logits.max(1, keepdims=True)
    own, others = logits[np.arange(len(labels)), labels], probabilities.shape[1] - 1
    best = np.full(len(_SHARES), -np.inf)
    for factor in _FACTORS:
        right = np.exp(factor * own) / np.exp(factor * logits).sum(1)
        chance = right[:, None] * (1 - _SHARES) + (1 - right[:, None]) / others * _SHARES
        best = np.maximum(best, np.log(chance.clip(_LEAST)).sum(0))
    return best
