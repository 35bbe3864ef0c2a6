"""Shapley values by enumeration (Shapley, 1953; Lundberg & Lee, 2017, arXiv:1705.07874, equation 4)."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import ClassVar

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.coalitions import coalition_values, spread_over_elements
from explain.method import METHODS, Method, Scores, Task

# Forward passes of a batch that enumeration may cost: seconds for a small network, minutes for a large one.
LIMIT = 2**24
_BLOCK = 2**14


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class ExactShapley(Method):
    """Average each player's marginal contribution over all orders in which players can arrive.

    Every coalition of players is evaluated, so the result is exact up to rounding.
    """

    takes_background: ClassVar[bool] = True

    def obstacle(self, classifier: Classifier, *, rows: int, background: int) -> str:
        players = len(modality_of(classifier.schema).players)
        if rows * background * 2**players > LIMIT:
            return (
                f"{rows} rows x {background} background rows x 2^{players} coalitions are more than the 2^24 evaluations it may take, "
                "and kernel_shap estimates the same values"
            )
        return super().obstacle(classifier, rows=rows, background=background)

    def __call__(self, task: Task, seed: Seed) -> Scores:
        players = len(modality_of(task.classifier.schema).players)
        values = torch.zeros(len(task.x), players, dtype=torch.float64)
        for start in range(0, 2**players, _BLOCK):
            numbers = torch.arange(start, min(start + _BLOCK, 2**players))
            present = (numbers[:, None] >> torch.arange(players)) & 1 == 1
            values += coalition_values(task, present) @ _weights(present)
        base_value = coalition_values(task, torch.zeros(1, players, dtype=torch.bool))[:, 0]
        return Scores(spread_over_elements(task, values), base_value, exact=True)


def _weights(present: Tensor) -> Tensor:
    """How much the value of each coalition counts for each player ``(M, P)``."""
    players = present.shape[1]
    arrival = torch.tensor([factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)], dtype=torch.float64)
    size = present.sum(1, keepdim=True)
    joined, absent = arrival[(size - 1).clamp_min(0)], arrival[size.clamp_max(players - 1)]
    return torch.where(present, joined, -absent)
