"""Staying: how far each feature of a table may go towards another decision without reaching it (semifactuals)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from classifier.chunks import chunk_size
from classifier.progress import progress_bar
from explain.counterfactual.decision import Decision
from explain.counterfactual.effort import Effort, Outcome
from explain.counterfactual.evaluating import Evaluator
from explain.counterfactual.legible import held_back
from explain.counterfactual.rounding import round_off
from explain.counterfactual.search import Search, Tried, lowest
from explain.counterfactual.space import Options, Space

# Values on each side of a number, and halvings between the last that keeps the decision and the next.
_SIZES, _HALVINGS = (32, 16, 8, 4, 2, 1), 12


def search_semifactuals(
    decision: Decision, x: Tensor, decided: Tensor, *, count: int, effort: Effort, data: Tensor | None, progress: bool
) -> Outcome:
    """Find semifactuals of rows of a table.

    Args:
        decision: What decides.
        x: Encoded rows ``(N, D)``.
        decided: The class decided of each, which is to stay ``(N,)``.
        count: How many features for a row.
        effort: How.
        data: Real rows, which tell the range of numbers without bounds ``(B, D)``.
        progress: Whether to show a bar.
    """
    schema = decision.classifier.schema
    size = max(1, min(64, chunk_size((len(schema.columns), 1000))))
    keys = torch.zeros(2, x.shape[1], dtype=torch.int64, device=x.device)
    pieces, parts = torch.split(torch.arange(len(x), device=x.device), size), []
    with progress_bar("semifactuals", len(pieces), shown=progress and len(pieces) > 1) as advance:
        for piece in pieces:
            space = Space(schema, x[piece], fixed=effort.fixed, weights={}, sparsity=0.0, data=data)
            # What is wanted is what is decided: to "flip" is here to stay.
            evaluator = Evaluator(decision, x[piece], decided[piece], effort.evaluations, held_back(effort.evaluations, count))
            search = Search(space, evaluator, manifold=None, plausible=0.0, keys=keys)
            found = _farthest(search).foremost(count)
            evaluator.hold(0)
            # Towards the row: beyond what was tried the decision may be another.
            found = round_off(search, found, partial(_stays, space), way="towards")
            parts.append(_outcome(search, found, int(piece[0])))
            advance(f"{int(piece[-1]) + 1} rows")
    return Outcome.joined(parts)


def _stays(space: Space, tried: Tried, found: Tried) -> Tensor:
    """Whether a rounded row keeps the decision, and still differs from its row where the other does."""
    return tried.flips & (space.changed(tried.z, tried.row) == space.changed(found.z, found.row)).all(1)


def _farthest(search: Search) -> Tried:
    """For each row and feature the change that keeps the decision and goes farthest, and nearest to the border.

    Its cost is minus its distance times the share of the way to the border: a far change that hardly matters says little.
    """
    space = search.space
    for size in _SIZES:
        options = space.options(size)
        if len(options.feature) <= 0.5 * search.evaluator.budget:
            break
    row, option = options.usable.nonzero().T
    tried = search.attempt(space.make(space.x[row], row, options, option), row)
    kept = _last_kept(space, options, tried, option)
    last, feature = tried[kept], options.feature[option[kept]]
    last = _extended(search, last, options, feature, space.column[feature])
    start = search.evaluator.margin[last.row]
    pushed = ((start - last.margin) / start.clamp_min(1e-9)).clamp(0, 1)
    far = Tried(last.z, last.row, last.margin, -space.distance(last.z, last.row).sum(1) * pushed, last.flips)
    towards = (last.margin < start - 1e-6) & last.flips
    far, feature = far[towards], feature[towards]
    return far[lowest(far.cost, far.row, feature)]


def _last_kept(space: Space, options: Options, tried: Tried, option: Tensor) -> Tensor:
    """The index of the last value along each number's side before the decision flips, and of each category that keeps it."""
    categorical = space.categorical[options.feature[option]]
    side = options.feature[option] * 2 + options.rising[option].long()
    group = tried.row * (2 * len(space.categorical)) + side
    new = torch.ones_like(group, dtype=torch.bool)
    new[1:] = group[1:] != group[:-1]
    start = torch.where(new, torch.arange(len(group), device=group.device), 0).cummax(0).values
    lost = (~tried.flips).long().cumsum(0)
    before = lost - torch.where(tried.flips, 0, 1)
    kept = tried.flips & (lost == before[start])
    ends = torch.ones_like(new)
    ends[:-1] = new[1:] | ~kept[1:]
    return (torch.where(categorical, tried.flips, kept & ends)).nonzero()[:, 0]


def _extended(search: Search, last: Tried, options: Options, feature: Tensor, column: Tensor) -> Tried:
    """Numbers taken on towards the next value that was tried, as far as the decision stays."""
    space = search.space
    every = torch.arange(len(last), device=column.device)
    here = last.z[every, column]
    rising = here > space.x[last.row, column]
    line = (options.column == column[:, None]) & (options.rising == rising[:, None]) & options.usable[last.row]
    values = torch.where(line, options.values[last.row], torch.nan)
    beyond = torch.where(rising[:, None], values > here[:, None], values < here[:, None])
    gap = torch.where(beyond, (values - here[:, None]).abs(), torch.inf).amin(1)
    numeric = ~space.categorical[feature] & gap.isfinite()
    low, high = torch.zeros_like(here), gap.clone()
    sign = torch.where(rising, 1.0, -1.0)
    for _ in range(_HALVINGS):
        step = space.step[feature]
        active = (numeric & (high - low > torch.maximum(1e-4 * space.scale[column], 1.001 * step))).nonzero()[:, 0]
        if not len(active):
            break
        middle = (low + high)[active] / 2
        whole = step[active]
        middle = torch.where(whole > 0, (middle / whole.clamp_min(1e-30) + 1e-3).floor() * whole, middle)
        z = last.z[active].scatter(1, column[active, None], (here[active] + sign[active] * middle)[:, None])
        tried = search.attempt(z, last.row[active])
        kept = tried.flips
        low[active[kept]], high[active[~kept]] = middle[kept], middle[~kept]
        merged = Tried.joined([last, tried[kept]])
        distance = space.distance(merged.z, merged.row).sum(1)
        last = merged[lowest(-distance, torch.cat([every, active[kept]]))]
    return last


def _outcome(search: Search, found: Tried, first: int) -> Outcome:
    none = torch.ones(len(search.space.x), dtype=torch.bool, device=found.row.device)
    none[found.row] = False
    missing = none.nonzero()[:, 0]
    row = torch.cat([found.row, missing])
    order = torch.argsort(row, stable=True)
    # A row of which nothing may move towards the border stands for itself.
    z = torch.cat([found.z, search.space.x[missing]])[order]
    flips, row = torch.cat([found.flips, torch.zeros_like(missing, dtype=torch.bool)])[order], row[order]
    return Outcome(z, row + first, flips, search.evaluator.used, search.space.changed(z, row), torch.full_like(row, -1))
