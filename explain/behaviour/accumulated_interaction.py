"""Accumulated interactions: what two numbers do together beyond what each does alone (Apley and Zhu, 2020, arXiv:1612.08468)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explain.behaviour.answers import Answers
from explain.behaviour.cases import weighted_counts
from explain.behaviour.side import Side, answers_at

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


class AccumulatedInteraction:
    """What two numbers do together beyond what each does alone, at each point of their grid, for weighted rows.

    An empty cell takes the step of the nearest one that has rows.
    """

    def __init__(self, answers: Answers, x: Tensor, sides: Sequence[Side]) -> None:
        first, second = sides
        self.shape = (len(first.grid) - 1, len(second.grid) - 1)
        self.cells = first.steps * self.shape[1] + second.steps
        rows, steps = torch.arange(len(x)), [torch.from_numpy(side.steps) for side in sides]
        self.changes = np.zeros((len(x), len(answers.targets)))
        for up, right in product((0, 1), (0, 1)):
            corner = answers_at(answers, x, sides, rows, [steps[0] + up, steps[1] + right]).numpy()
            self.changes += corner if up == right else -corner
        self.nearest = _nearest_filled(self.counts, sides)

    @property
    def counts(self) -> Counts:
        """How many rows each cell has ``(G - 1, H - 1)``."""
        return np.bincount(self.cells, minlength=self.shape[0] * self.shape[1]).reshape(self.shape)

    def __call__(self, weights: Array) -> Array:
        """The interactions ``(B, G, H, T)`` where rows are weighted ``(B, N)``."""
        cells = self.shape[0] * self.shape[1]
        count = weighted_counts(weights, self.cells, cells)
        mean = np.stack([weighted_counts(weights * column, self.cells, cells) for column in self.changes.T], 2)
        whole = np.ones((1, weights.shape[1]))
        fallback = np.stack([weighted_counts(whole * column, self.cells, cells) for column in self.changes.T], 2)
        fallback = fallback / np.maximum(self.counts.reshape(1, -1, 1), 1)
        mean = np.where(count[..., None] > 0, mean / np.where(count > 0, count, 1)[..., None], fallback)[:, self.nearest]
        steps = mean.reshape(len(weights), *self.shape, -1)
        surface = np.pad(steps.cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0), (0, 0)))
        return _without_lower_orders(surface, count.reshape(len(weights), *self.shape))


def _without_lower_orders(surface: Array, count: Array) -> Array:
    """A surface less the accumulated effects of either feature in it, and less its mean ``(B, G, H, T)``."""
    for axis in (1, 2):
        other = 3 - axis
        change = np.diff(surface, axis=axis)
        middle = (np.delete(change, 0, other) + np.delete(change, -1, other)) / 2
        size = count.sum(other)[..., None]
        step = (count[..., None] * middle).sum(other) / np.where(size > 0, size, 1)
        effect = np.pad(np.cumsum(step, 1), ((0, 0), (1, 0), (0, 0)))
        # Both effects are of the surface as it was.
        if axis == 1:
            first = np.expand_dims(effect, 2)
        else:
            second = np.expand_dims(effect, 1)
    surface = surface - first - second
    corners = (surface[:, 1:, 1:] + surface[:, :-1, 1:] + surface[:, 1:, :-1] + surface[:, :-1, :-1]) / 4
    mean = (count[..., None] * corners).sum((1, 2)) / count.sum((1, 2))[:, None]
    return surface - mean[:, None, None]


def _nearest_filled(counts: Counts, sides: Sequence[Side]) -> Counts:
    """For each cell the nearest one with rows, by the distance of their middles in shares of the features' ranges ``(cells,)``."""
    middles = [(side.grid[1:] + side.grid[:-1]) / 2 / (side.grid[-1] - side.grid[0]) for side in sides]
    places = np.stack(np.meshgrid(*middles, indexing="ij"), -1).reshape(-1, 2)
    filled = np.flatnonzero(counts.reshape(-1))
    distance = ((places[:, None] - places[None, filled]) ** 2).sum(2)
    return filled[distance.argmin(1)]
