"""Scores: what accuracy, log-loss and AUC are made of, and what of them is lost over weighted pairs of rows."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import mean, proportion, roc_auc_metric

Array = NDArray[np.float64]
Measure = Literal["accuracy", "log_loss", "auc"]
# A log-loss that moved by less moved by rounding.
_ROUNDING = 1e-6


class PairLosses:
    """What is lost without each part over weighted pairs of a row and its lender; a pair counts as often as both are drawn.

    The row's own score counts as the pairs do, so that what the classifier ignores loses nothing in any resample.

    Args:
        own: The score of each row ``(N,)``, of which accuracy and log-loss are means.
        lent: The same with each part from each lender ``(G, R, N)``.
        lender: Which row lends to each ``(R, N)``.
        measure: What the scores are made into.
        labels: Class of each row ``(N,)``.
    """

    def __init__(self, own: Array, lent: Array, lender: NDArray[np.int64], measure: Measure, labels: NDArray[np.int64]) -> None:
        self.own, self.lent, self.lender, self.measure, self.positive = own, lent, lender, measure, labels == 1

    def __call__(self, weights: Array) -> Array:
        """The losses ``(B, G)`` where rows are weighted ``(B, N)``; NaN where a resample lacks what the measure needs."""
        lost, size = np.zeros((len(weights), len(self.lent))), np.zeros((len(weights), 1))
        for place, lender in enumerate(self.lender):
            both = weights * weights[:, lender]
            if self.measure == "auc":
                area = weighted_auc(self.own, self.positive, both)
                lost += np.stack([area - weighted_auc(lent, self.positive, both) for lent in self.lent[:, place]], 1)
                size += 1
            else:
                lost += both @ (self.own - self.lent[:, place]).T
                size += both.sum(1, keepdims=True)
        worse = -1 if self.measure == "log_loss" else 1
        return worse * np.divide(lost, size, out=np.full_like(lost, np.nan), where=size > 0)

    def reach(self) -> Array:
        """How far one row more might move the loss without each part, up or down ``(G,)``.

        Accuracy and area cannot change by more than 1. Log-loss has no such end: it is as far as the row that moved farthest, and the
        lender that moved others farthest, did together, and for a part that moved nothing as far as for any.
        """
        if self.measure != "log_loss":
            return np.ones(len(self.lent))
        moved = self.lent - self.own
        as_lender = np.take_along_axis(moved, np.argsort(self.lender, 1)[None], 2)
        farthest = sum(np.abs(each.mean(1)).max(1) for each in (moved, as_lender))
        return np.where(farthest > _ROUNDING, farthest, farthest.max())


def weighted_auc(scores: Array, positive: NDArray[np.bool_], weights: Array) -> Array:
    """Area under the ROC curve of weighted rows ``(B,)``; ties count half, and without a row of either class it is NaN.

    Args:
        scores: One score a row ``(N,)``.
        positive: Which rows are of the event ``(N,)``.
        weights: How much each row counts ``(B, N)``.
    """
    order = np.argsort(scores, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    negatives, positives = (np.cumsum(weights[:, order] * chosen[order], axis=1)[:, ends] for chosen in (~positive, positive))
    below = negatives - np.diff(negatives, axis=1, prepend=0) / 2
    area = (np.diff(positives, axis=1, prepend=0) * below).sum(1)
    size = positives[:, -1] * negatives[:, -1]
    return np.divide(area, size, out=np.full(len(weights), np.nan), where=size > 0)


def per_row(logits: Tensor, labels: NDArray[np.int64], measure: Measure) -> Array:
    """What the measure is made of, for each row ``(N,)``: whether it is decided rightly, its log-loss, or its score."""
    logits = logits.double()
    if measure == "auc":
        return (logits[:, 1] - logits[:, 0]).numpy()
    true = torch.from_numpy(labels)
    if measure == "accuracy":
        return (logits.argmax(1) == true).double().numpy()
    return -logits.log_softmax(1).gather(1, true[:, None])[:, 0].numpy()


def score_metric(scores: Array, labels: NDArray[np.int64], measure: Measure, seed: Seed) -> Metric:
    """The classifier's own accuracy, log-loss or AUC, with its interval."""
    if measure == "accuracy":
        return proportion("performance.accuracy", scores == 1)
    if measure == "auc":
        return roc_auc_metric("performance.roc_auc", scores, labels == 1)
    return mean("performance.log_loss", scores, seed, better="lower")
