"""Choosing: of the candidates that flip, a few that are small and unlike each other; numbers rounded to what is said."""

from __future__ import annotations

from math import floor, log10

import torch
from torch import Tensor

from explain.counterfactual.search import Search, Tried, lowest


def choose(search: Search, found: Tried, *, count: int, diversity: float) -> Tried:
    """The cheapest of each row, then each time the one that is cheap and changes other features than those before it.

    A candidate counts `1 + diversity * overlap` times its cost, where the overlap is the largest share of features
    that it has in common with one chosen before, of the smaller set of the two: one that changes all that another
    changes, and more, overlaps wholly.

    Args:
        search: The search.
        found: Candidates that flip, sorted by row.
        count: How many for a row.
        diversity: How much an overlap counts.
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
    if not chosen:
        return found
    every = torch.cat(chosen)
    return found[every[torch.argsort(found.row[every], stable=True)]]


def round_off(search: Search, found: Tried) -> Tried:
    """The same with continuous numbers rounded away from the row's, where that flips as well: what is said is what was tried."""
    space, schema = search.space, search.space.schema
    z = found.z.clone()
    for index, feature in enumerate(schema.features):
        if feature.kind != "continuous":
            continue
        column = int(space.column[index])
        scaled = schema.encoding == "unit" and feature.low is not None
        natural, origin = (feature.span, float(feature.low or 0.0)) if scaled else (1.0, 0.0)
        start, end = space.x[found.row, column].double(), z[:, column].double()
        value = end * natural + origin
        coarse = torch.tensor([_grain(feature.span, float(number)) for number in value], dtype=torch.float64, device=z.device)
        # One that float32 leaves just beyond a round number is that number.
        steps = value / coarse
        rounded = torch.where(end > start, (steps - 1e-6).ceil(), (steps + 1e-6).floor()) * coarse
        moved = ((rounded - origin) / natural).to(z.dtype)
        moved = torch.minimum(torch.maximum(moved, space.lower[found.row, column]), space.upper[found.row, column])
        z[:, column] = torch.where(end != start, moved, z[:, column])
    tried = search.attempt(z, found.row)
    return Tried(
        torch.where(tried.flips[:, None], tried.z, found.z),
        found.row,
        torch.where(tried.flips, tried.margin, found.margin),
        torch.where(tried.flips, tried.cost, found.cost),
        found.flips,
    )


def _grain(span: float, value: float) -> float:
    """What a number is rounded to: a thousandth of the power of ten in its range, and no finer than its fourth digit."""
    power = floor(log10(span)) - 3
    return 10.0 ** max(power, floor(log10(abs(value))) - 3 if abs(value) > 1e-30 else power)
