"""Building up: changes of single features, then of more, best first (a beam search with an A* estimate)."""

from __future__ import annotations

import torch
from torch import Tensor

from explain.counterfactual.search import Search, Tried, lowest
from explain.counterfactual.space import Options

# The estimate of what is still to pay is stretched a little, so that of equals the one that has come farther goes on.
_EAGER = 1.1
# Partial changes go on to this many features, and to more only for rows that nothing flips.
_FEATURES, _MOST_FEATURES = 3, 6


def build_up(search: Search, fine: Options, coarse: Options, *, width: int, keep: int, below: Tensor | None = None) -> Tried:
    """Search from the rows themselves outwards.

    All changes of one feature are tried. Of those that do not flip, the most promising `width` of each row are
    continued by every change of another feature, and so on. Promising is a low sum of what was paid and what is
    still to pay, at the best rate at which any single change brought the row nearer to the border: on a linear
    classifier that never exceeds the truth.

    Args:
        search: The search.
        fine: Changes of single features, for the first.
        coarse: The same, for those after it.
        width: Partial changes of a row that are continued.
        keep: Candidates that flip to give back for each row.
        below: Cost above which nothing is tried any more, for each row ``(N,)``: more features only cost more.

    Returns:
        Candidates that flip, at most one for each kind of change.
    """
    space = search.space
    row, option = fine.usable.nonzero().T
    tried = _attempted(search, space.make(space.x[row], row, fine, option), row, below)
    rate = _best_rate(search, tried, len(space.x))
    found = search.cheapest(tried, keep)
    partial = _promising(search, tried, rate, width)
    for count in range(2, _MOST_FEATURES + 1):
        if count > _FEATURES and below is None:
            flipped = torch.zeros(len(space.x), dtype=torch.bool, device=row.device)
            flipped[found.row] = True
            partial = partial[~flipped[partial.row]]
        if not len(partial):
            break
        # Every partial change with every change of a feature that it leaves as it is.
        fresh = ~space.changed(partial.z, partial.row)[:, coarse.feature] & coarse.usable[partial.row]
        which, option = fresh.nonzero().T
        row = partial.row[which]
        tried = _attempted(search, space.make(partial.z[which], row, coarse, option), row, below)
        found = search.cheapest(Tried.joined([found, tried]), keep)
        partial = _promising(search, tried, rate, width)
    return found


def _attempted(search: Search, z: Tensor, row: Tensor, below: Tensor | None) -> Tried:
    if below is not None:
        cheap = search.space.cost(z, row) < below[row] - 1e-6
        z, row = z[cheap], row[cheap]
    return search.attempt(z, row)


def _best_rate(search: Search, tried: Tried, rows: int) -> Tensor:
    """The most that any change brought each row nearer to the border, for what it costs ``(N,)``."""
    gain = (tried.margin - search.evaluator.margin[tried.row]) / tried.cost.clamp_min(1e-9)
    gain = torch.where(gain.isfinite(), gain, torch.zeros_like(gain))
    return torch.zeros(rows, device=gain.device).scatter_reduce(0, tried.row, gain, "amax").clamp_min(1e-9)


def _promising(search: Search, tried: Tried, rate: Tensor, width: int) -> Tried:
    waiting = tried[~tried.flips & tried.margin.isfinite()]
    estimate = waiting.cost + _EAGER * (-waiting.margin).clamp_min(0) / rate[waiting.row]
    # Of each kind of change the value that promises most goes on, and others only where there is room.
    first = lowest(estimate, waiting.row, search.signature(waiting))
    other = torch.ones_like(estimate, dtype=torch.float64)
    other[first] = 0
    return waiting.foremost(width, estimate + 1e6 * other)
