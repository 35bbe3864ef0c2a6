"""Marginals: values of players that are weighted sums of what each adds to coalitions (Weber, 1988, probabilistic values)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from explain.games.coalitions import Game, Shares


class Marginals:
    """Which coalitions are evaluated, and how much each counts for each player.

    Args:
        players: How many players there are.
    """

    def __init__(self, players: int) -> None:
        self.players = players
        # A coalition is a number, whose binary digits say who is in it.
        self._weights: dict[int, dict[int, float]] = {0: {}}

    def add(self, coalition: int, unit: Sequence[int], weight: float) -> None:
        """Let each player of a unit get `weight` times what the unit adds to a coalition that none of it is in."""
        for number, sign in ((coalition | union(unit), 1), (coalition, -1)):
            row = self._weights.setdefault(number, {})
            for player in unit:
                row[player] = row.get(player, 0.0) + sign * weight

    def __len__(self) -> int:
        return len(self._weights)

    def shares(self, game: Game) -> Shares:
        """What each player gets."""
        present = torch.tensor([[number >> place & 1 == 1 for place in range(self.players)] for number in self._weights])
        weights = torch.zeros(len(self), self.players, dtype=torch.float64)
        for row, counted in enumerate(self._weights.values()):
            for player, weight in counted.items():
                weights[row, player] = weight
        values = game.values(present)
        return Shares(values @ weights, values[:, 0])


def union(members: Iterable[int]) -> int:
    """The coalition of players, as a number."""
    return sum(1 << member for member in members)
