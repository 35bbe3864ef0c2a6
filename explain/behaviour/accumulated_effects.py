"""Accumulated local effects: small steps of a feature, each over the rows that lie there, added up (Apley and Zhu, 2020).

Unlike partial dependence they ask only about rows near those of the data. See arXiv:1612.08468; categories have an order only
by what else their rows are like.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.dataset import Dataset
from explain.behaviour.answers import Answers
from explain.behaviour.cases import weighted_counts
from explain.behaviour.side import Side, answers_at

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


def takes_levels(side: Side) -> bool:
    """Whether a feature goes from one of its values to the next, as categories and whole numbers of few values do."""
    return side.listed or (side.feature.kind != "continuous" and bool(np.isin(side.cases, side.grid).all()))


class AccumulatedEffects:
    """The effect of one feature at each point of its grid, with mean 0 over the rows, for weighted rows.

    A number takes each row's step between the quantiles on either side of it. Levels take the step to the next from the rows at
    either of the two.
    """

    def __init__(self, answers: Answers, x: Tensor, side: Side) -> None:
        self.levels, last = takes_levels(side), len(side.grid) - 1
        self.places = side.places if self.levels else side.steps
        rows = np.arange(len(x))
        if self.levels:
            up, down = self.places < last, self.places > 0
            self.rows = np.r_[rows[up], rows[down]]
            steps = np.r_[self.places[up], self.places[down] - 1]
        else:
            self.rows, steps = rows, self.places
        order = np.argsort(steps, kind="stable")
        self.rows, steps = self.rows[order], steps[order]
        self.cuts = np.searchsorted(steps, np.arange(last))
        start = torch.from_numpy(steps)
        lower, upper = (answers_at(answers, x, [side], torch.from_numpy(self.rows), [start + end]) for end in (0, 1))
        self.changes = (upper - lower).numpy()

    @property
    def counts(self) -> Counts:
        """How many rows each step is taken over ``(G - 1,)``."""
        return np.diff(self.cuts, append=len(self.rows))

    def __call__(self, weights: Array) -> Array:
        """The effects ``(B, G, T)`` where rows are weighted ``(B, N)``.

        A resample without a row on a step takes the step of all rows.
        """
        ends = [*self.cuts[1:], len(self.rows)]
        steps = []
        for start, end in zip(self.cuts, ends, strict=True):
            drawn, changes = weights[:, self.rows[start:end]], self.changes[start:end]
            size = drawn.sum(1, keepdims=True)
            steps.append(np.where(size > 0, drawn @ changes / np.where(size > 0, size, 1), changes.mean(0)))
        effects = np.cumsum(np.stack([np.zeros_like(steps[0]), *steps], 1), 1)
        share = weighted_counts(weights, self.places, effects.shape[1] - (0 if self.levels else 1))
        middles = effects if self.levels else (effects[:, 1:] + effects[:, :-1]) / 2
        return effects - (np.einsum("bg,bgt->bt", share, middles) / share.sum(1, keepdims=True))[:, None]


def similar_order(side: Side, dataset: Dataset) -> Counts:
    """An order of categories in which neighbours have rows that are alike in all other features.

    The distance of two categories is summed over the other columns, of each the largest difference between the two
    distributions; the order is that along the first axis of its classical scaling (Apley and Zhu, 2020).
    """
    others = np.delete(dataset.inputs.cpu().numpy(), np.r_[side.columns], axis=1)
    count, places = len(side.grid), side.places
    distance = np.zeros((count, count))
    for column in others.T:
        values, code = np.unique(column, return_inverse=True)
        table = np.zeros((count, len(values)))
        np.add.at(table, (places, code), 1)
        rising = np.cumsum(table / table.sum(1, keepdims=True), 1)
        distance += np.abs(rising[:, None] - rising[None]).max(2)
    centre = np.eye(count) - 1 / count
    _, axes = np.linalg.eigh(-centre @ (distance**2) @ centre / 2)
    axis = axes[:, -1]
    # The axis has no direction of its own: the first category comes in the first half.
    return np.argsort(axis if axis[0] <= np.median(axis) else -axis, kind="stable")
