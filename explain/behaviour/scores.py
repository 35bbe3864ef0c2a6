"""Scores of rows: accuracy, log-loss or AUC over weighted rows, and what of it is lost over weighted pairs of rows."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
Measure = Literal["accuracy", "log_loss", "auc"]


class MeanScore:
    """The mean of a number of each row over weighted rows, or the area under the ROC curve of such scores."""

    def __init__(self, values: Array, labels: NDArray[np.int64] | None) -> None:
        self.values, self.labels = values, labels

    def __call__(self, weights: Array) -> Array:
        if self.labels is None:
            return (weights @ self.values) / weights.sum(1)
        return weighted_auc(self.values, self.labels == 1, weights)


class PairLoss:
    """What is lost over weighted pairs of a row and its lender; a pair counts as often as both are drawn.

    The row's own score counts as the pairs do, so that what the classifier ignores loses nothing in any resample.
    """

    def __init__(self, own: Array, lent: Array, lender: NDArray[np.int64], labels: NDArray[np.int64] | None, sign: float) -> None:
        from scipy.sparse import csr_array

        self.own, self.lent, self.lender, self.labels, self.sign = own, lent, lender, labels, sign
        repeats, count = lender.shape
        places = (np.tile(np.arange(count), repeats), lender.reshape(-1))
        self.losses = csr_array(((own - lent).reshape(-1), places), shape=(count, count))
        self.pairs = csr_array((np.ones(lent.size), places), shape=(count, count))

    def __call__(self, weights: Array) -> Array:
        """The loss ``(B,)`` where rows are weighted ``(B, N)``."""
        if self.labels is None:
            total, size = ((weights * (pairs @ weights.T).T).sum(1) for pairs in (self.losses, self.pairs))
            return self.sign * np.divide(total, size, out=np.full(len(weights), np.nan), where=size > 0)
        positive, areas = self.labels == 1, []
        for lent, lender in zip(self.lent, self.lender, strict=True):
            both = weights * weights[:, lender]
            areas.append(weighted_auc(self.own, positive, both) - weighted_auc(lent, positive, both))
        return self.sign * np.mean(areas, 0)


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
