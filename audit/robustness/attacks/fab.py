"""FAB: fast adaptive boundary attack, which looks for the nearest wrong row (Croce and Hein, 2020, arXiv:1907.02044)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.attacks._hyperplane import move_onto
from audit.robustness.attacks._jobs import aimed_jobs
from audit.robustness.attempt import Attempt
from audit.robustness.losses import targeted_margin
from audit.robustness.method import Attack, register
from classifier.errors import ConfigurationError
from classifier.perturbation import Norm
from classifier.seeds import Seed

# A move shorter than this counts as one of this length, where the two are weighed against each other.
_SHORT = 1e-8
_SLACK = 1e-5
# How often the way back from a wrong row is halved at the end.
_HALVINGS = 12


@register
@dataclass(frozen=True, kw_only=True)
class FAB(Attack):
    """Go to the boundary to each of the likeliest other classes as if the classifier were linear, again and again.

    Each step projects the iterate and the row itself onto the boundary, where the classifier is taken for its tangent,
    and goes between the two, a little beyond. From a wrong iterate, whose tangent serves as well, it goes back towards
    the row first. A step is one pass forward and one backward.

    Args:
        targets: How many classes to aim at, the likeliest first; at most all others.
        steps: Steps towards each.
        restarts: How often to begin for each: at the row itself, then at random points.
        bias: How much the projection of the row itself weighs, at most.
        overshoot: How far to go, where 1 reaches the boundary.
        backward: Where to go on from a wrong iterate: 1 stays, 0 is the row itself.
    """

    targets: int = 9
    steps: int = 100
    restarts: int = 1
    bias: float = 0.1
    overshoot: float = 1.05
    backward: float = 0.9

    def __post_init__(self) -> None:
        if min(self.targets, self.steps, self.restarts) < 1:
            raise ConfigurationError(
                f"targets, steps and restarts must be at least 1, got {self.targets}, {self.steps} and {self.restarts}"
            )
        if not (0 <= self.bias <= 1 and 0 < self.backward <= 1 and self.overshoot >= 1):
            raise ConfigurationError(
                f"bias and backward must be shares and overshoot at least 1, got {self.bias}, {self.backward} and {self.overshoot}"
            )

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        for restart in range(self.restarts):
            for rows, aims, places in aimed_jobs(attempt, self.targets):
                start = attempt.allowed.centre[rows]
                if restart > 0:
                    start = _begin_elsewhere(attempt, rows, seed.child(restart), places)
                self._search(attempt, rows, aims, start)

    def _search(self, attempt: Attempt, rows: Tensor, aims: Tensor, start: Tensor) -> None:
        shape, norm = start.shape[1:], attempt.allowed.norm
        here = attempt.allowed[rows]
        # A little more than eps, which rounding may have added: whether it counts is decided where it is submitted.
        reach = attempt.allowed.eps * (1 + _SLACK) + _SLACK
        origin, lower, upper, x = (part.flatten(1) for part in (here.centre, here.lower, here.upper, start))
        # The nearest wrong iterate of each job, and how far it is.
        best, nearest = origin, torch.full_like(origin[:, 0], torch.inf)
        for step in range(self.steps + 1):
            if len(rows) == 0:
                return
            logits, value, gradient = attempt.climb(x.reshape(-1, *shape), rows, targeted_margin, aims)
            wrong = logits.argmax(1) != attempt.labels[rows]
            far = _length(x - origin, norm)
            better = wrong & (far < nearest)
            best, nearest = torch.lerp(best, x, better.to(x)[:, None]), torch.where(better, far, nearest)
            # A valid row next to a wrong one may be nearer; else only what is nearer than all before is of use.
            of_use = torch.ones_like(wrong) if attempt.only_valid else wrong & (far < attempt.distance[rows].clamp_max(reach))
            broken = attempt.broken[rows]
            if of_use.any():
                these = of_use.nonzero()[:, 0]
                broken[these] = attempt.submit(x[these].reshape(-1, *shape), rows[these], logits[these])
            if step == self.steps:
                break
            normal = gradient.flatten(1)
            offset = (normal * x).sum(1) - value
            x = torch.lerp(origin, x, torch.where(wrong, self.backward, 1.0)[:, None])
            if broken.any():
                left = ~broken
                rows, aims, origin, lower, upper = rows[left], aims[left], origin[left], lower[left], upper[left]
                x, normal, offset, best, nearest = x[left], normal[left], offset[left], best[left], nearest[left]
            moves = move_onto(torch.stack([x, origin]), normal, offset, lower, upper, norm)
            x = self._between(x + self.overshoot * moves[0], origin + self.overshoot * moves[1], moves, norm)
            x = torch.minimum(torch.maximum(x, lower), upper)
        found = (~attempt.broken[rows] & (nearest < attempt.distance[rows].clamp_max(reach) * self.overshoot)).nonzero()[:, 0]
        if len(found):
            _pull_back(attempt, rows[found], origin[found].reshape(-1, *shape), best[found].reshape(-1, *shape))

    def _between(self, near: Tensor, of_origin: Tensor, moves: Tensor, norm: Norm) -> Tensor:
        """Between the two projections, nearer to that of the row itself the farther the iterate was from its own."""
        length = _length(moves, norm).clamp_min(_SHORT).unsqueeze(-1)
        return torch.lerp(near, of_origin, (length[0] / length.sum(0)).clamp_max(self.bias))


def _pull_back(attempt: Attempt, rows: Tensor, origin: Tensor, wrong: Tensor) -> None:
    """Halve the way between each row and a wrong one until next to the boundary, and hand over what is still wrong."""
    right, wide = torch.zeros_like(rows, dtype=origin.dtype), (-1, *[1] * (origin.dim() - 1))
    share = torch.ones_like(right)
    for _ in range(_HALVINGS):
        middle = (right + share) / 2
        outside = attempt.logits(torch.lerp(origin, wrong, middle.reshape(wide)), rows).argmax(1) != attempt.labels[rows]
        right, share = torch.where(outside, right, middle), torch.where(outside, middle, share)
    attempt.submit(torch.lerp(origin, wrong, share.reshape(wide)), rows)


def _begin_elsewhere(attempt: Attempt, rows: Tensor, seed: Seed, places: Tensor) -> Tensor:
    """Halfway to a random place as far away as the nearest wrong row, or eps ``(m, *S)``."""
    here = attempt.allowed[rows]
    shape = tuple(here.centre.shape[1:])
    noise = 2 * attempt.uniform(rows, seed, shape, places) - 1
    size = _length(noise.flatten(1), here.norm)
    # Where neither says how far, one unit of change.
    reach = attempt.distance[rows].clamp_max(here.eps)
    reach = torch.where(reach.isfinite(), reach, 1.0)
    wide = (-1, *[1] * len(shape))
    return (here.centre + noise * (reach / 2 / size.clamp_min(1e-12)).reshape(wide)).clamp(here.lower, here.upper)


def _length(change: Tensor, norm: Norm) -> Tensor:
    return change.abs().amax(-1) if norm == "Linf" else torch.linalg.vector_norm(change, ord=int(norm[1]), dim=-1)
