"""Legible: what is told of a row is what was tried, with what print does not need left out and no two alike."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from explain.counterfactual.choosing import choose
from explain.counterfactual.rounding import round_off
from explain.counterfactual.search import Search, Tried
from explain.counterfactual.space import Space
from explain.counterfactual.tightening import restore

#: Evaluations that the rounding of one counterfactual takes, roughly.
EACH = 40
# Share of a row's evaluations that is held back for rounding, and of few evaluations at most.
_SHARE, _MOST = 0.1, 0.2


def held_back(budget: int, count: int) -> int:
    """Evaluations of a row that a search leaves for the rounding of what it finds."""
    return int(min(_MOST * budget, max(_SHARE * budget, EACH * count)))


def choose_legible(search: Search, found: Tried, *, count: int, diversity: float) -> Tried:
    """Choose, and round what was chosen; where two become alike, the next is taken, as long as there are evaluations.

    Args:
        search: The search.
        found: Candidates that flip, sorted by row.
        count: How many for a row.
        diversity: See `choose`.
    """
    legible, most = found[found.row[:0]], len(found)
    while True:
        chosen = choose(search, found, count=count, diversity=diversity)
        legible = search.cheapest(Tried.joined([legible, _simplified(search, found[chosen])]), most)
        # Only rows that lack one go on, and only to what has not been looked at.
        lacking = torch.bincount(legible.row, minlength=len(search.space.x)) < count
        waiting = (lacking & (search.evaluator.left >= EACH))[found.row]
        waiting[chosen] = False
        found = found[waiting]
        if not len(found):
            return legible[choose(search, legible, count=count, diversity=diversity)]


def _simplified(search: Search, found: Tried) -> Tried:
    """Rounded; rounding brings a little more than is needed, so that a small change may become needless."""
    accepts = partial(_flips, search.space)
    rounded = round_off(search, found, accepts)
    less = restore(search, rounded)
    # What a relation makes follow might be another change altogether, which stands for itself.
    index = torch.arange(len(rounded), device=rounded.row.device)
    kept = torch.where(accepts(less, rounded), index + len(rounded), index)
    return round_off(search, Tried.joined([rounded, less])[kept], accepts)


def _flips(space: Space, tried: Tried, found: Tried) -> Tensor:
    """Whether a rounded row flips, and changes no feature that the other does not."""
    return tried.flips & ~(space.changed(tried.z, tried.row) & ~space.changed(found.z, found.row)).any(1)
