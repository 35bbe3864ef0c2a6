"""Shapley values by sampled orders of arrival (Castro et al., 2009; Mitchell et al., 2022, arXiv:2104.12199, antithetic pairs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from classifier.errors import ConfigurationError
from classifier.seeds import Seed
from explain.games.arrivals import shares_of_orders
from explain.games.coalitions import Game, Shares, play
from explain.method import METHODS, Method, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class PermutationSHAP(Method):
    """Let the players arrive in random orders, each walked forwards and backwards, and average what they add.

    The same orders serve all inputs. Complete to rounding, whatever the number of permutations, and without
    error where players interact by twos at most.

    Args:
        permutations: Random orders; each costs 2 P evaluations an input and background row.
    """

    spelling: ClassVar[str] = "permutation SHAP"
    takes_background: ClassVar[bool] = True

    permutations: int = 10

    def __post_init__(self) -> None:
        if self.permutations < 2:
            raise ConfigurationError(f"permutations must be at least 2, for a standard error, got {self.permutations}")

    def __call__(self, task: Task, seed: Seed) -> Scores:
        return play(task, lambda game: self._divide(game, seed))

    def _divide(self, game: Game, seed: Seed) -> Shares:
        generator = seed.child("orders").torch()
        return shares_of_orders(game, torch.rand(self.permutations, len(game.players), generator=generator).argsort(1))
