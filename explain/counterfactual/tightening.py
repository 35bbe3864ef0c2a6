"""Tightening: from a candidate that flips to the least of its changes that still does."""

from __future__ import annotations

import torch
from torch import Tensor

from explain.counterfactual.search import Search, Tried, lowest
from explain.counterfactual.space import Options

# Halvings of a number's change: the last is 1/16,384 of it.
_HALVINGS = 14
_ROUNDS = 8
# Features of a candidate that are put back, one at a time, to try others instead.
_PUT_BACK = 4


def tighten(search: Search, found: Tried, *, shrink_first: bool = False) -> Tried:
    """Put back all features that the flip does not need, and shrink what remains.

    What is put back, or shrunk, first is what costs most for what it does. Where that is a part of a change, to shrink
    first leaves the least sum of changes on a linear classifier, and to put back first the fewest features.

    Args:
        search: The search.
        found: Candidates that flip.
        shrink_first: Whether to shrink before features are put back, too.

    Returns:
        As many candidates that flip, none dearer.
    """
    if shrink_first:
        found = restore(search, _shrunk(search, found))
    return _shrunk(search, restore(search, found))


def restore(search: Search, found: Tried) -> Tried:
    """Put back features until none can be, several at once where they can.

    Args:
        search: The search.
        found: Candidates that flip.

    Returns:
        As many, none dearer.
    """
    active = torch.arange(len(found), device=found.row.device)
    for _ in range(_ROUNDS):
        some = found[active]
        changed = search.space.changed(some.z, some.row)
        changed &= changed.sum(1, keepdim=True) > 1
        which, feature = changed.nonzero().T
        single = search.attempt(search.space.reset(some.z[which], some.row[which], feature), some.row[which])
        good = single.flips & (single.cost < some.cost[which])
        if not good.any():
            break
        lost = (some.margin[which] - single.margin) / (some.cost[which] - single.cost).clamp_min(1e-9)
        ranks = torch.full(changed.shape, torch.inf, device=lost.device)
        ranks[which[good], feature[good]] = lost[good]
        less = _put_back(search, some, ranks)
        # One of which nothing can be put back is not asked again, whatever happens to the others.
        moved = (less.cost < some.cost).nonzero()[:, 0]
        active = active[moved]
        found = _cheapest_of([found, less[moved]], [torch.arange(len(found), device=active.device), active])
    return found


def exchange(search: Search, found: Tried, options: Options, *, keep: int) -> Tried:
    """Candidates that flip in another way: one feature put back and another changed instead, or one changed further.

    Args:
        search: The search.
        found: Candidates that flip.
        options: Changes of single features.
        keep: Candidates to give back for each of `found`.
    """
    space = search.space
    # Those that cost most; in a change of many features the others hardly matter.
    cost = space.distance(found.z, found.row) * space.weight
    most = min(_PUT_BACK, cost.shape[1])
    dear = torch.zeros_like(cost, dtype=torch.bool).scatter_(1, cost.topk(most, dim=1).indices, True) & (cost > 0)
    which, feature = dear.nonzero().T
    without = space.reset(found.z[which], found.row[which], feature)
    base = torch.cat([found.z, without])
    row = torch.cat([found.row, found.row[which]])
    of = torch.cat([torch.arange(len(found), device=row.device), which])
    put_back = torch.cat([torch.full((len(found),), -1, device=row.device), feature])
    allowed = options.usable[row] & (options.feature != put_back[:, None])
    some, option = allowed.nonzero().T
    tried = search.attempt(space.make(base[some], row[some], options, option), row[some])
    slack = (tried.margin - found.margin[of[some]]).clamp_min(0)
    dearer = (tried.cost - found.cost[of[some]]).clamp_min(1e-6)
    # What costs less at once comes first, then what buys most room to shrink the rest.
    score = torch.where(tried.cost < found.cost[of[some]], tried.cost - found.cost[of[some]], dearer / slack.clamp_min(1e-9))
    good = tried.flips.nonzero()[:, 0]
    order = good[torch.argsort(score[good], stable=True)]
    order = order[torch.argsort(of[some][order], stable=True)]
    group = of[some][order]
    place = torch.arange(len(group), device=group.device) - torch.searchsorted(group, group)
    return tried[order[place < keep]]


def _put_back(search: Search, found: Tried, ranks: Tensor) -> Tried:
    """Put back as many features as can be, in the order of their ranks ``(M, P)``; infinite ones stay."""
    order = torch.argsort(ranks, dim=1, stable=True)
    count = ranks.isfinite().sum(1)
    place = torch.empty_like(order).scatter_(1, order, torch.arange(ranks.shape[1], device=ranks.device).expand_as(order))
    parts, of = [found], [torch.arange(len(found), device=count.device)]
    for length in range(1, int(count.max()) + 1):
        # Of long orders some lengths, and always the whole.
        some = ((count > length if length <= 6 or length % 4 == 0 else count < 0) | (count == length)).nonzero()[:, 0]
        if not len(some):
            continue
        z = search.space.reset(found.z[some], found.row[some], place[some] < length)
        tried = search.attempt(z, found.row[some])
        better = tried.flips & (tried.cost < found.cost[some])
        parts.append(tried[better])
        of.append(some[better])
    return _cheapest_of(parts, of)


def _shrunk(search: Search, found: Tried) -> Tried:
    """Bring each changed number as near to where it was as the flip allows, one after the other."""
    space = search.space
    numeric = space.changed(found.z, found.row) & ~space.categorical
    which, feature = numeric.nonzero().T
    if not len(which):
        return found
    single = search.attempt(space.reset(found.z[which], found.row[which], feature), found.row[which])
    lost = (found.margin[which] - single.margin) / (found.cost[which] - single.cost).abs().clamp_min(1e-9)
    ranks = torch.full(numeric.shape, torch.inf, device=lost.device)
    # One of infinite loss, whose evaluations were used up, still has its turn.
    ranks[which, feature] = torch.nan_to_num(lost, posinf=1e30).clamp(-1e30, 1e30)
    order, count = torch.argsort(ranks, dim=1, stable=True), numeric.sum(1)
    for turn in range(int(count.max())):
        some = (count > turn).nonzero()[:, 0]
        shrunk = _bisected(search, found[some], order[some, turn])
        found = _cheapest_of([found, shrunk], [torch.arange(len(found), device=some.device), some])
    return found


def _bisected(search: Search, found: Tried, feature: Tensor) -> Tried:
    """Each candidate with one number as near to where it was as the flip allows."""
    space = search.space
    row, every = found.row, torch.arange(len(found), device=found.row.device)
    column = space.column[feature]
    start, change = space.x[row, column], found.z[every, column] - space.x[row, column]
    low, high = torch.zeros_like(start), torch.ones_like(start)
    for _ in range(_HALVINGS):
        width = (high - low) * change.abs()
        # Between whole numbers next to each other there is none.
        active = (width > torch.maximum(1e-5 * space.scale[column], 1.001 * space.step[feature])).nonzero()[:, 0]
        if not len(active):
            break
        middle = (low + high)[active] / 2
        moved, step = middle * change[active], space.step[feature[active]]
        whole = (moved.abs() / step.clamp_min(1e-30) + 1e-3).floor() * step * moved.sign()
        value = start[active] + torch.where(step > 0, whole, moved)
        z = found.z[active].scatter(1, column[active, None], value[:, None])
        tried = search.attempt(z, row[active])
        fits = tried.flips & (tried.cost <= found.cost[active])
        high[active[fits]], low[active[~fits]] = middle[fits], middle[~fits]
        found = _cheapest_of([found, tried[fits]], [every, active[fits]])
    return found


def _cheapest_of(parts: list[Tried], of: list[Tensor]) -> Tried:
    """The cheapest of each candidate's versions, in the order of the candidates."""
    every, owner = Tried.joined(parts), torch.cat(of)
    return every[lowest(every.cost, owner)]
