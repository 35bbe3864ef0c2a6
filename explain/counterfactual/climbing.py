"""Climbing: the best change of each feature, stacked on each other, as far as the wanted decision."""

from __future__ import annotations

import torch
from torch import Tensor

from explain.counterfactual.search import Search, Tried, lowest
from explain.counterfactual.space import Options

# Times that the best changes are looked for anew, from where the last ones led.
_ROUNDS = 6
# Stacks up to this height are all tried, and of higher ones some.
_EVERY = 12


def climb(search: Search, options: Options) -> Tried:
    """Stack the best change of each feature, those first that bring most for what they cost.

    Where features add up, as in a linear classifier, the lowest stack that flips holds the features that the
    smallest change needs. Where they do not, the best changes are looked for again from the highest place.

    Args:
        search: The search.
        options: Changes of single features.

    Returns:
        Candidates that flip.
    """
    space, evaluator = search.space, search.evaluator
    place, height = space.x, evaluator.margin
    waiting = torch.arange(len(place), device=place.device)
    found: list[Tried] = []
    for _ in range(_ROUNDS):
        which, option = options.usable[waiting].nonzero().T
        row = waiting[which]
        single = search.attempt(space.make(place[row], row, options, option), row)
        gain = single.margin - height[row]
        uphill = (gain > 1e-6) & gain.isfinite()
        single, gain, option = single[uphill], gain[uphill], option[uphill]
        if not len(single):
            break
        # The end of a number's range brings most, and is shrunk again where that is too much.
        best = lowest(-gain, single.row, options.feature[option])
        stacked = _stacked(search, options, place, single.row[best], option[best], gain[best] / single.cost[best].clamp_min(1e-9))
        tried = Tried.joined([single, stacked])
        found.append(tried[tried.flips])
        highest = lowest(-tried.margin, tried.row)
        better = tried.margin[highest] > height[tried.row[highest]] + 1e-6
        row = tried.row[highest][better]
        place, height = place.clone(), height.clone()
        place[row], height[row] = tried.z[highest][better], tried.margin[highest][better]
        flipped = torch.zeros(len(place), dtype=torch.bool, device=place.device)
        flipped[tried.row[tried.flips]] = True
        waiting = row[~flipped[row]]
        if not len(waiting):
            break
    return Tried.joined(found) if found else search.attempt(space.x[:0], waiting[:0])


def _stacked(search: Search, options: Options, place: Tensor, row: Tensor, option: Tensor, rate: Tensor) -> Tried:
    """The first changes of each row together, in the order of their rate, at several heights."""
    order = torch.argsort(-rate, stable=True)
    order = order[torch.argsort(row[order], stable=True)]
    row, option = row[order], option[order]
    step = torch.arange(len(row), device=row.device) - torch.searchsorted(row, row)
    current = place.clone()
    parts: list[Tried] = []
    last = torch.zeros(len(place), dtype=torch.int64, device=row.device).scatter_reduce(0, row, step, "amax")
    for height in range(int(step.max()) + 1):
        now = step == height
        current[row[now]] = search.space.make(current[row[now]], row[now], options, option[now])
        shown = row[now] if height < _EVERY or height % 4 == 0 else row[now][last[row[now]] == height]
        parts.append(search.attempt(current[shown], shown))
    return Tried.joined(parts)
