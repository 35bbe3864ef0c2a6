"""Starts: rows that have the wanted decision already, from which one walks back to the row."""

from __future__ import annotations

import torch
from torch import Tensor

from classifier.perturbation import PerturbationSet
from explain.counterfactual.decision import ANY
from explain.counterfactual.search import Search, Tried

# Candidates of each kind that are tried for a row before the nearest that flip are taken.
_TRIED = 48
# Steps uphill, and the length of one in units of change.
_STEPS, _LENGTH = 24, 0.1


def find_starts(search: Search, generator: torch.Generator, *, count: int) -> Tried:
    """The nearest rows found that flip, for each row at most `count`.

    They are real cases of the wanted class with what may not change put back; where the classifier has gradients, the
    end of a walk uphill; and where there are no cases, or none flips, random rows of the space.

    Args:
        search: The search.
        generator: Draws the random rows, the same for all.
        count: How many.
    """
    kinds = [part for part in (_cases(search), _uphill(search)) if part is not None]
    flipped = torch.zeros(len(search.space.x), dtype=torch.bool, device=search.space.x.device)
    for tried in kinds:
        flipped[tried.row[tried.flips]] = True
    random = _random(search, generator, (~flipped).nonzero()[:, 0])
    return search.cheapest(Tried.joined([*kinds, random]), count)


def _cases(search: Search) -> Tried | None:
    """The cases of the wanted class that are nearest to each row, with what may not change put back."""
    if search.manifold is None:
        return None
    wanted, present = search.evaluator.wanted, search.evaluator.present
    parts = []
    for label, now in torch.unique(torch.stack([wanted, present], 1), dim=0).tolist():
        rows = ((wanted == label) & (present == now)).nonzero()[:, 0]
        cases = search.manifold.others(now) if label == ANY else search.manifold.cases(label)
        if not len(cases):
            continue
        nearest = search.manifold.distances(search.space.x[rows], cases).argsort(dim=1, stable=True)[:, :_TRIED]
        row = rows.repeat_interleave(nearest.shape[1])
        parts.append(_placed(search, cases[nearest.flatten()], row))
    return Tried.joined(parts) if parts else None


def _random(search: Search, generator: torch.Generator, rows: Tensor) -> Tried:
    """Rows in which every free feature is as it was, or anything."""
    space = search.space
    shape = (_TRIED, space.x.shape[1])
    place, dice = (torch.rand(shape, generator=generator).to(space.x) for _ in range(2))
    share = torch.linspace(0.2, 1, _TRIED)[:, None]
    moved = (torch.rand((_TRIED, len(space.categorical)), generator=generator) < share).to(rows.device)
    row = rows.repeat_interleave(_TRIED)
    times = len(rows)
    z = space.lower[row] + place.repeat(times, 1) * (space.upper[row] - space.lower[row])
    for index in space.categorical.nonzero()[:, 0].tolist():
        columns = space.members[index].nonzero()[:, 0]
        z[:, columns] = torch.nn.functional.one_hot(dice[:, columns].argmax(1), len(columns)).to(z).repeat(times, 1)
    return _placed(search, space.reset(z, row, ~moved.repeat(times, 1)), row)


def _uphill(search: Search) -> Tried | None:
    """Where the steepest way to the wanted decision leads in the relaxed space, made valid again."""
    space, evaluator = search.space, search.evaluator
    if not evaluator.decision.classifier.differentiable:
        return None
    row = (evaluator.left >= _STEPS).nonzero()[:, 0]
    ball = PerturbationSet(space.x, space.lower, space.upper, space.scale, eps=torch.inf, norm="L2")[row]
    z, stops = space.x[row], []
    for step in range(_STEPS):
        z = z.detach().requires_grad_()
        with torch.enable_grad():
            margin = evaluator.decision.margin(evaluator.decision.classifier.logits(z), evaluator.wanted[row], evaluator.present[row])
            (slope,) = torch.autograd.grad(margin.sum(), z)
        z = ball.step(z.detach(), torch.nan_to_num(slope), _LENGTH)
        if step % 6 == 5:
            stops.append(z)
    evaluator.used[row] += _STEPS
    return _placed(search, torch.cat(stops), row.repeat(len(stops)))


def _placed(search: Search, z: Tensor, row: Tensor) -> Tried:
    """Candidates brought into the space: one category a group, whole numbers whole, what may not change as it was."""
    space = search.space
    z = space.project(z, row)
    for index in space.categorical.nonzero()[:, 0].tolist():
        columns = space.members[index].nonzero()[:, 0]
        z[:, columns] = torch.nn.functional.one_hot(z[:, columns].argmax(1), len(columns)).to(z)
    z = space.modality.repair(z, space.x[row])
    return search.attempt(z, row)
