"""Partial dependence: the mean output where a feature has one value in all rows (Friedman, 2001).

The curves that it is the mean of are those of the single rows (individual conditional expectation; Goldstein et al., 2015,
arXiv:1309.6392).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explain.behaviour.answers import Answers
from explain.behaviour.side import Side, answers_at

Array = NDArray[np.float64]


def conditional_curves(answers: Answers, x: Tensor, sides: Sequence[Side]) -> Array:
    """The output of every row at every point of the grid ``(N, *G, T)``.

    Args:
        answers: What is asked.
        x: Inputs ``(N, D)``, on the classifier's device.
        sides: The feature, or both of a pair.
    """
    shape = tuple(len(side.grid) for side in sides)
    points = torch.cartesian_prod(*(torch.arange(size) for size in shape)).reshape(-1, len(shape))
    rows = torch.arange(len(x)).repeat_interleave(len(points))
    places = points.repeat(len(x), 1).unbind(1)
    return answers_at(answers, x, sides, rows, places).reshape(len(x), *shape, -1).numpy()


class PartialDependence:
    """The mean of curves ``(N, *G, T)`` over weighted rows."""

    def __init__(self, curves: Array) -> None:
        self.curves = curves

    def __call__(self, weights: Array) -> Array:
        """The means ``(B, *G, T)`` where rows are weighted ``(B, N)``."""
        return np.tensordot(weights / weights.sum(1, keepdims=True), self.curves, 1)
