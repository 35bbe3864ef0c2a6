"""Arrivals: what players add when they arrive one after the other (Castro et al., 2009, doi:10.1016/j.cor.2008.04.004)."""

from __future__ import annotations

import torch
from torch import Tensor

from explain.games.coalitions import Game, Shares

# Values of coalitions that are kept at once.
_KEPT = 2**23


def shares_of_orders(game: Game, orders: Tensor) -> Shares:
    """Average what each player adds over orders of arrival, each walked forwards and backwards.

    The two walks of an order are a pair whose errors cancel where players interact by twos. The standard
    error is that of the mean over independent pairs.

    Args:
        game: Who plays.
        orders: The players in the order of their arrival ``(R, Q)``, at least two orders.
    """
    count, players = orders.shape
    rows = len(game.rows)
    # Each walk begins with nobody and ends with everybody.
    base_value, total = game.values(torch.tensor([[False], [True]]).expand(2, players), shown=False).unbind(1)
    mean, squares = (torch.zeros(rows, players, dtype=torch.float64) for _ in range(2))
    for some in torch.split(orders, max(1, _KEPT // (2 * rows * players))):
        added = torch.zeros(len(some), rows, players, dtype=torch.float64)
        both = torch.stack([some, some.flip(1)])
        rank = both.argsort(2)
        # After step s those are in whose rank is below it: steps 1 to Q - 1 are evaluated.
        steps = torch.arange(1, players)
        inside = game.values((rank[:, :, None] < steps[:, None]).flatten(0, 2)).reshape(rows, 2, len(some), players - 1)
        for walk, order in enumerate(both):
            ends = [end[:, None, None].expand(-1, len(some), 1) for end in (base_value, total)]
            path = torch.cat([ends[0], inside[:, walk], ends[1]], 2)
            # What the player at each place adds, brought back to the players' own order.
            added += path.diff(dim=2).transpose(0, 1).gather(2, order.argsort(1)[:, None].expand(-1, rows, -1)) / 2
        mean += added.sum(0) / count
        squares += added.square().sum(0)
    spread = ((squares - count * mean.square()).clamp_min(0) / (count - 1)).sqrt()
    return Shares(mean, base_value, spread / count**0.5)
