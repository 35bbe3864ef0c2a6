"""Rounding: numbers of a table are made as round as the decision allows, and tried as they will be printed."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, log10
from typing import Literal

import torch
from torch import Tensor

from explain.counterfactual.printed import decimals_of
from explain.counterfactual.search import Search, Tried
from explain.counterfactual.space import Space

#: Whether to round away from where the row is, towards it, or to what is nearest.
Way = Literal["away", "towards", "nearest"]
#: Whether what was tried, the first, is as good as what it is to stand for, the second ``(M,)``.
Accepts = Callable[[Tried, Tried], Tensor]

# Decimals more that are tried, one by one, where a rounder number does not do; after them a number stays as it is.
_FINER = 5
# What float32 leaves of a number that was round, as a share of it.
_NOISE = 1.2e-7


def round_off(search: Search, found: Tried, accepts: Accepts, *, way: Way = "away") -> Tried:
    """The same with numbers rounded, each as far as what comes of it is accepted.

    All are rounded together, to finer and finer numbers; where only fine ones do, each alone is made rounder again.

    Args:
        search: The search.
        found: Candidates ``(M,)``.
        accepts: What may stand for a candidate.
        way: Where numbers are rounded to.
    """
    grid = _Grid(search.space)
    best, level = found, torch.full((len(found),), _FINER, device=found.row.device)
    waiting = torch.arange(len(found), device=found.row.device)
    for finer in range(_FINER):
        z = grid.rounded(found.z[waiting], found.row[waiting], finer, way)
        round_already = (z == found.z[waiting]).all(1)
        level[waiting[round_already]] = finer
        z, waiting = z[~round_already], waiting[~round_already]
        # Round numbers may break a relation; then another one gives way, and is rounded to what is nearest.
        for mends in (False, True) if search.space.relations is not None else (False,):
            if mends:
                z = grid.rounded(search.attempt(z, found.row[waiting]).z, found.row[waiting], finer, "nearest")
            tried = search.attempt_as_is(z, found.row[waiting])
            good = accepts(tried, found[waiting])
            best, level[waiting[good]] = _replaced(best, waiting[good], tried[good]), finer
            z, waiting = z[~good], waiting[~good]
    return _rounder(search, grid, best, level, accepts, way)


def _rounder(search: Search, grid: _Grid, found: Tried, level: Tensor, accepts: Accepts, way: Way) -> Tried:
    """Numbers that had to be fine, each made as round as the others allow."""
    for place in range(len(grid.columns)):
        column = grid.columns[place]
        waiting = (level > 0) & (found.z[:, column] != search.space.x[found.row, column])
        for coarser in range(_FINER):
            some = (waiting & (level > coarser)).nonzero()[:, 0]
            if not len(some):
                break
            z = found.z[some].clone()
            z[:, column] = grid.rounded(z, found.row[some], coarser, way)[:, column]
            tried = search.attempt_as_is(z, found.row[some])
            good = accepts(tried, found[some])
            found = _replaced(found, some[good], tried[good])
            waiting[some[good]] = False
    return found


def _replaced(found: Tried, index: Tensor, other: Tried) -> Tried:
    """The candidates with others in some places."""
    place = torch.arange(len(found), device=index.device)
    place[index] = len(found) + torch.arange(len(index), device=index.device)
    return Tried.joined([found, other])[place]


class _Grid:
    """The round numbers of a table: thousandths of the power of ten in a feature's range, and no finer than is printed."""

    def __init__(self, space: Space) -> None:
        schema, device = space.schema, space.x.device
        numbers = [index for index, feature in enumerate(schema.features) if feature.kind in ("continuous", "integer")]
        features = [schema.features[index] for index in numbers]
        natural = [decimals_of(schema, feature) for feature in features]
        self.space, self.columns = space, space.column[numbers]
        self._origin, self._unit = torch.tensor(natural, dtype=torch.float64, device=device).reshape(-1, 2).T
        self._whole = torch.tensor([feature.kind == "integer" for feature in features], device=device)
        self._power = torch.tensor([floor(log10(feature.span)) - 3 for feature in features], dtype=torch.float64, device=device)

    def rounded(self, z: Tensor, row: Tensor, finer: int, way: Way) -> Tensor:
        """Candidates ``(M, D)`` with the numbers that changed rounded, to `finer` decimals more than the roundest."""
        space, columns = self.space, self.columns
        start, end = space.x[row][:, columns], z[:, columns]
        value = self._origin + self._unit * end.double()
        # The fourth digit, or from 1,000 on the whole: what is printed.
        printed = (value.abs().clamp_min(1e-30).log10().floor() - 3).clamp_max(0)
        power = torch.where(self._whole, 0.0, torch.maximum(self._power, printed) - finer)
        grain, scale = 10.0**power, 10.0 ** power.abs()
        # A power of ten is exact as a whole number only.
        steps = torch.where(power < 0, value * scale, value / scale)
        slack = (_NOISE * self._unit * end.abs() / grain).clamp(1e-6, 0.5)
        upwards = (end > start) == (way == "away")
        sided = torch.where(upwards, (steps - slack).ceil(), (steps + slack).floor())
        steps = torch.where(self._whole | torch.tensor(way == "nearest", device=z.device), steps.round(), sided)
        moved = (torch.where(power < 0, steps / scale, steps * scale) - self._origin) / self._unit
        low, high = space.lower[row][:, columns], space.upper[row][:, columns]
        if way == "towards":
            low, high = torch.minimum(start, end), torch.maximum(start, end)
        moved = torch.minimum(torch.maximum(moved.to(z.dtype), low), high)
        out = z.clone()
        out[:, columns] = torch.where(end != start, moved, end)
        return out
