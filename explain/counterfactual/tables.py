"""Tables: the whole search for rows of a table, a part of the rows at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from classifier.chunks import chunk_size
from classifier.progress import progress_bar
from classifier.schema import Schema
from classifier.seeds import Seed
from explain.counterfactual.building import build_up
from explain.counterfactual.choosing import choose
from explain.counterfactual.climbing import climb
from explain.counterfactual.decision import CLEAR, Decision
from explain.counterfactual.effort import Effort, Outcome
from explain.counterfactual.evaluating import Evaluator
from explain.counterfactual.legible import EACH, choose_legible, held_back
from explain.counterfactual.manifold import Manifold
from explain.counterfactual.rounding import round_off
from explain.counterfactual.search import Search, Tried
from explain.counterfactual.space import Options, Space
from explain.counterfactual.starts import find_starts
from explain.counterfactual.tightening import exchange, tighten

# Kinds of change that are kept for each row, and how many of them are exchanged.
_KEPT, _EXCHANGED = 32, 6
# How much nearer to the border the closest may be than what is told of it, in logits.
_NEAR = 0.01
# Times that others are made for a row of whose counterfactuals some became alike.
_ROUNDS = 2
# Share of the evaluations that one step of the last pass may take.
_WIDE = 0.4
# Values tried on each side of a number, partial changes continued, and rows walked back from, where evaluations allow.
_SIZES, _WIDTH, _STARTS = (12, 8, 5, 3, 2, 1), 64, 16


def search_table(
    decision: Decision,
    x: Tensor,
    wanted: Tensor,
    *,
    count: int,
    effort: Effort,
    data: Tensor | None,
    manifold: Manifold | None,
    seed: Seed,
    progress: bool,
) -> Outcome:
    """Find counterfactuals of rows of a table.

    Args:
        decision: What decides.
        x: Encoded rows ``(N, D)``.
        wanted: The class that is wanted of each, or `ANY` ``(N,)``.
        count: How many for a row.
        effort: How.
        data: Real rows ``(B, D)``.
        manifold: The same by class.
        seed: Where random numbers come from.
        progress: Whether to show a bar.
    """
    schema = decision.classifier.schema
    keys = torch.randint(2**62, (2, x.shape[1]), generator=seed.child("keys").torch()).to(x.device)
    size, parts = _rows_at_once(schema, effort.evaluations), []
    held = held_back(effort.evaluations, count) if effort.rounded else 0
    pieces = torch.split(torch.arange(len(x), device=x.device), size)
    with progress_bar("counterfactuals", len(pieces), shown=progress and len(pieces) > 1) as advance:
        for piece in pieces:
            space = Space(schema, x[piece], fixed=effort.fixed, weights=effort.weights, sparsity=effort.sparsity, data=data)
            evaluator = Evaluator(decision, x[piece], wanted[piece], effort.evaluations, held)
            search = Search(space, evaluator, manifold=manifold, plausible=effort.plausible, keys=keys)
            found = _found(search, count=count, effort=effort, generator=seed.child("starts").torch())
            parts.append(_with_closest(search, found, int(piece[0]), rounded=effort.rounded))
            advance(f"{int(piece[-1]) + 1} rows")
    return Outcome.joined(parts)


def _found(search: Search, *, count: int, effort: Effort, generator: torch.Generator) -> Tried:
    budget, features = effort.evaluations, len(search.space.categorical)
    fine, coarse = _options(search.space, 0.08 * budget), _options(search.space, 0.03 * budget)
    every = max(1, len(coarse.feature))
    width = min(_WIDTH, int(0.15 * budget / every))
    built = build_up(search, fine, coarse, width=width, keep=_KEPT)
    climbed = search.cheapest(climb(search, coarse), _KEPT // 4)
    first = Tried.joined([built.foremost(_KEPT // 2), climbed])
    tight = Tried.joined([tighten(search, first), tighten(search, climbed, shrink_first=True)])
    starts = find_starts(search, generator, count=max(1, min(_STARTS, int(0.1 * budget / (features + 1)))))
    tight = search.cheapest(Tried.joined([tight, tighten(search, starts)]), _KEPT)
    exchanged = max(1, min(_EXCHANGED, int(0.03 * budget / every)))
    for _ in range(2):
        best = tight.foremost(2 * _EXCHANGED)
        best = best[choose(search, best, count=exchanged, diversity=effort.diversity / 2)]
        other = exchange(search, best, coarse, keep=2)
        tight = search.cheapest(Tried.joined([tight, tighten(search, other), tighten(search, other, shrink_first=True)]), _KEPT)
    tight = search.cheapest(Tried.joined([tight, _cheaper(search, coarse, tight)]), _KEPT)
    search.evaluator.hold(0)
    if effort.rounded:
        return _more(search, choose_legible(search, tight, count=count, diversity=effort.diversity), count, effort)
    return tight[choose(search, tight, count=count, diversity=effort.diversity)]


def _more(search: Search, found: Tried, count: int, effort: Effort) -> Tried:
    """For rows that have too few, since some became alike in print, others that are made from those that they have."""
    options = _options(search.space, 0.01 * effort.evaluations)
    for _ in range(_ROUNDS):
        lacking = (torch.bincount(found.row, minlength=len(search.space.x)) < count) & (search.evaluator.left > 2 * EACH * count)
        some = found[lacking[found.row]]
        if not len(some):
            break
        search.evaluator.hold(EACH * count)
        other = tighten(search, exchange(search, some, options, keep=count))
        search.evaluator.hold(0)
        every = search.cheapest(Tried.joined([some, other]), _KEPT)
        found = Tried.joined([found[~lacking[found.row]], choose_legible(search, every, count=count, diversity=effort.diversity)])
        found = found[torch.argsort(found.row, stable=True)]
    return found


def _cheaper(search: Search, options: Options, tight: Tried) -> Tried:
    """What the evaluations that are left find below the cost of the cheapest."""
    below = torch.full((len(search.space.x),), torch.inf, device=tight.cost.device).scatter_reduce(0, tight.row, tight.cost, "amin")
    # Of each row as many as it has evaluations for; how many others have must change nothing.
    width = int(_WIDE * search.evaluator.budget / max(1, len(options.feature)))
    return tighten(search, build_up(search, options, options, width=width, keep=2, below=below))


def _options(space: Space, most: float) -> Options:
    """Changes of single features on the finest grid that has at most so many."""
    for size in _SIZES:
        options = space.options(size)
        if len(options.feature) <= most:
            break
    return options


def _with_closest(search: Search, found: Tried, first: int, *, rounded: bool) -> Outcome:
    """What was found, and for rows without a counterfactual what came closest."""
    evaluator = search.evaluator
    none = torch.ones(len(search.space.x), dtype=torch.bool, device=found.row.device)
    none[found.row] = False
    missing = none.nonzero()[:, 0]
    closest = evaluator.closest[missing]
    if rounded:
        closest = round_off(search, search.attempt_as_is(closest, missing), _as_close).z
    row = torch.cat([found.row, missing])
    order = torch.argsort(row, stable=True)
    z = torch.cat([found.z, closest])[order]
    flips = torch.cat([torch.ones_like(found.flips), torch.zeros_like(missing, dtype=torch.bool)])[order]
    row = row[order]
    donor = torch.full_like(row, -1)
    return Outcome(z, row + first, flips, evaluator.used, search.space.changed(z, row), donor)


def _as_close(tried: Tried, closest: Tried) -> Tensor:
    """Whether a rounded row is as near to the border, on the same side of it, as one that does not do what was asked."""
    return (tried.margin >= closest.margin - _NEAR) & ((tried.margin > CLEAR) == (closest.margin > CLEAR)) & closest.margin.isfinite()


def _rows_at_once(schema: Schema, budget: int) -> int:
    """Rows whose candidates fit in memory together; which rows are searched together changes nothing."""
    return max(1, min(64, chunk_size((len(schema.columns), max(2000, int(_WIDE * budget))))))
