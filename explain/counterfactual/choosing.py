"""Choosing: of the candidates that flip, a few that are small and unlike each other."""

from __future__ import annotations

import torch
from torch import Tensor

from explain.counterfactual.search import Search, Tried, lowest


def choose(search: Search, found: Tried, *, count: int, diversity: float) -> Tensor:
    """The indices of the cheapest of each row, then each time of one that is cheap and changes other features than those before.

    A candidate counts `1 + diversity * overlap` times its cost, where the overlap is the largest share of features
    that it has in common with one chosen before, of the smaller set of the two: one that changes all that another
    changes, and more, overlaps wholly.

    Args:
        search: The search.
        found: Candidates that flip, sorted by row.
        count: How many for a row.
        diversity: How much an overlap counts.

    Returns:
        Indices into `found`, sorted by row.
    """
    changed = search.space.changed(found.z, found.row).float()
    size = changed.sum(1)
    overlap = torch.zeros_like(found.cost)
    left = torch.ones_like(found.flips)
    chosen: list[Tensor] = []
    for _ in range(count):
        index = left.nonzero()[:, 0]
        if not len(index):
            break
        part = found[index]
        best = index[lowest(part.cost * (1 + diversity * overlap[index]), part.row)]
        chosen.append(best)
        left[best] = False
        latest = torch.full((len(search.space.x),), -1, device=best.device)
        latest[found.row[best]] = best
        mate = latest[found.row]
        shared = (changed * changed[mate.clamp_min(0)]).sum(1) / torch.minimum(size, size[mate.clamp_min(0)]).clamp_min(1)
        overlap = torch.where(mate >= 0, torch.maximum(overlap, shared), overlap)
    every = torch.cat(chosen) if chosen else found.row[:0]
    return every[torch.argsort(found.row[every], stable=True)]
