"""Shapley values by enumeration (Shapley, 1953; Lundberg & Lee, 2017, arXiv:1705.07874, equation 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial
from typing import ClassVar

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from classifier.modality import modality_of
from classifier.progress import progress_bar
from classifier.seeds import Seed
from explain.games.coalitions import Game, Shares, play
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

    spelling: ClassVar[str] = "exact Shapley values"
    takes_background: ClassVar[bool] = True

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        reason = super().obstacle(classifier, rows=rows, background=background, players=players)
        return reason or too_many(rows, background, len(modality_of(classifier.schema).players) if players is None else players)

    def __call__(self, task: Task, seed: Seed) -> Scores:
        return play(task, self._divide)

    def _divide(self, game: Game) -> Shares:
        players = len(game.players)
        if reason := too_many(len(game.rows), len(game.task.baseline), players):
            raise NotApplicableError(f"exact_shapley does not apply: {reason}")
        values = torch.zeros(len(game.rows), players, dtype=torch.float64)
        base_value = torch.zeros(len(game.rows), dtype=torch.float64)
        for start, present, found in every_coalition(game):
            values += found @ _weights(present)
            if start == 0:
                base_value = found[:, 0]
        return Shares(values, base_value)


def too_many(rows: int, background: int, players: int) -> str:
    """Why not all coalitions can be evaluated; empty where they can."""
    if rows * background * 2**players <= LIMIT:
        return ""
    return (
        f"{rows} rows x {background} background rows x 2^{players} coalitions are more than the 2^24 evaluations it may take, "
        "and kernel_shap estimates the same values"
    )


def every_coalition(game: Game) -> Iterator[tuple[int, Tensor, Tensor]]:
    """All coalitions, block by block: the number of the first, the members ``(M, Q)`` and the values ``(n, M)``.

    The binary digits of a coalition's number say who is in it, so that 0 is the empty one.
    """
    players = len(game.players)
    starts = range(0, 2**players, _BLOCK)
    with progress_bar("coalitions", len(starts), shown=len(starts) > 1) as advance:
        for start in starts:
            numbers = torch.arange(start, min(start + _BLOCK, 2**players))
            present = (numbers[:, None] >> torch.arange(players)) & 1 == 1
            yield start, present, game.values(present, shown=len(starts) == 1)
            advance("")


def _weights(present: Tensor) -> Tensor:
    """How much the value of each coalition counts for each player ``(M, P)``."""
    players = present.shape[1]
    arrival = torch.tensor([factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)], dtype=torch.float64)
    size = present.sum(1, keepdim=True)
    joined, absent = arrival[(size - 1).clamp_min(0)], arrival[size.clamp_max(players - 1)]
    return torch.where(present, joined, -absent)
