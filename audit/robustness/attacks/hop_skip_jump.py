"""HopSkipJump: walks along the boundary and asks for decisions only (Chen et al., 2020, arXiv:1904.02144)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from math import ceil, log2, prod, sqrt
from typing import ClassVar

import torch
from torch import Tensor

from audit.robustness.attacks._wrong_starts import nearest_of_other_classes, random_wrong
from audit.robustness.attempt import Attempt
from audit.robustness.method import Attack, register
from classifier.chunks import chunk_size
from classifier.errors import ConfigurationError
from classifier.perturbation import Norm
from classifier.seeds import Seed

# How far the first probes reach, in units of change, and the least that any reach along one element, that rounding leaves of it.
_FIRST_REACH, _LEAST_REACH = 0.1, 1e-6
# Halvings of a step before a row stays where it is.
_HALVINGS = 12


@register
@dataclass(frozen=True, kw_only=True)
class HopSkipJump(Attack):
    """Estimate the slope of the boundary from decisions about random points around it, step along it, and go back to it.

    It begins on the ways to a random wrong point of the box and to the nearest attacked rows of other classes, at the
    nearest place of the boundary. It looks at which logit is the largest, never at how large.

    Args:
        queries: Decisions asked for each row, at most.
        probes: Random points of the first step; the t-th step takes the square root of t times as many.
    """

    queries: int = 5000
    probes: int = 100
    gradient: ClassVar[bool] = False
    norms: ClassVar[tuple[Norm, ...]] = ("Linf", "L2")

    def __post_init__(self) -> None:
        if self.probes < 2 or self.queries < 2 * self.probes:
            raise ConfigurationError(
                f"probes must be at least 2 and queries twice as many, got {self.probes} probes and {self.queries} queries"
            )

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        if len(attempt.standing) == 0:
            return
        shape = tuple(attempt.allowed.centre.shape[1:])
        most = round(self.probes * (1.5 * self.queries / self.probes) ** (1 / 3))
        for rows in torch.split(attempt.standing, max(1, chunk_size(shape) // most)):
            self._walk(attempt, rows, seed)

    def _walk(self, attempt: Attempt, rows: Tensor, seed: Seed) -> None:
        before = attempt.queries.clone()
        rows, x = _begin(attempt, rows, seed.child("start"))
        step = 0
        while True:
            step += 1
            count = round(self.probes * sqrt(step))
            cost = count + _bisections(attempt) + _HALVINGS
            going = ~attempt.broken[rows] & (attempt.queries[rows] - before[rows] + cost <= self.queries)
            rows, x = rows[going], x[going]
            if len(rows) == 0:
                return
            far = attempt.allowed[rows].distance(x)
            uphill = _uphill(attempt, rows, x, far, count, step, seed.child("probes"))
            there = _stride(attempt, rows, x, uphill, far / sqrt(step))
            moved = _to_boundary(attempt, rows, there)
            attempt.submit(moved, rows)
            x = moved


def _begin(attempt: Attempt, rows: Tensor, seed: Seed) -> tuple[Tensor, Tensor]:
    """The rows of which a wrong point is known ``(m,)``, and the nearest of the boundary's places that were found ``(m, *S)``."""
    best = torch.full(rows.shape, torch.inf, device=rows.device)
    x = attempt.allowed.centre[rows].clone()
    for points, found in chain([random_wrong(attempt, rows, seed)], nearest_of_other_classes(attempt, rows)):
        index = found.nonzero()[:, 0]
        if len(index):
            here = _to_boundary(attempt, rows[index], points[index])
            attempt.submit(here, rows[index])
            far = attempt.allowed[rows[index]].distance(here)
            nearer = far < best[index]
            best[index[nearer]], x[index[nearer]] = far[nearer], here[nearer]
    known = best.isfinite()
    return rows[known], x[known]


def _uphill(attempt: Attempt, rows: Tensor, x: Tensor, far: Tensor, count: int, step: int, seed: Seed) -> Tensor:
    """The direction in which the decision becomes more wrong, of length 1 ``(m, *S)`` (equations 12 and 16 of the paper)."""
    allowed = attempt.allowed[rows]
    shape = tuple(x.shape[1:])
    sparse = attempt.allowed.norm == "Linf"
    noise = 2 * attempt.uniform(rows, seed, (count, *shape), step) - 1 if sparse else attempt.normal(rows, seed, (count, *shape), step)
    wide = (-1, 1, *[1] * len(shape))
    length = torch.linalg.vector_norm(noise.flatten(2), dim=2).clamp_min(1e-12)
    reach = torch.full_like(far, _FIRST_REACH) if step == 1 else far / prod(shape)
    reach = reach.clamp_min(_LEAST_REACH * sqrt(prod(shape))).reshape(wide)
    points = x[:, None] + reach * noise / length.reshape(*length.shape, *[1] * len(shape))
    points = torch.minimum(torch.maximum(points, allowed.lower[:, None]), allowed.upper[:, None])
    wrong = _wrong(attempt, points.flatten(0, 1), rows.repeat_interleave(count)).reshape(len(rows), count)
    sign = 2.0 * wrong - 1
    mean = sign.mean(1, keepdim=True)
    # Against the mean, which lowers the variance; where all agree there is nothing to tell them by.
    weight = torch.where(mean.abs() == 1, sign, sign - mean)
    estimate = (weight.reshape(*weight.shape, *[1] * len(shape)) * (points - x[:, None]) / reach).mean(1)
    return allowed.direction(x, estimate)


def _stride(attempt: Attempt, rows: Tensor, x: Tensor, uphill: Tensor, size: Tensor) -> Tensor:
    """The end of a step that is still wrong, halved until it is ``(m, *S)``; a row that finds none stays."""
    allowed = attempt.allowed[rows]
    size = size.reshape(-1, *[1] * (x.dim() - 1))
    there, open_rows = x.clone(), torch.arange(len(rows), device=rows.device)
    for _ in range(_HALVINGS):
        points = (x + size * uphill).clamp(allowed.lower, allowed.upper)[open_rows]
        wrong = _wrong(attempt, points, rows[open_rows])
        there[open_rows[wrong]] = points[wrong]
        open_rows = open_rows[~wrong]
        if len(open_rows) == 0:
            break
        size = size / 2
    return there


def _to_boundary(attempt: Attempt, rows: Tensor, x: Tensor) -> Tensor:
    """The wrong point next to the boundary on the way from each row to a wrong point ``(m, *S)``."""
    allowed = attempt.allowed[rows]
    far = allowed.distance(x)
    low, high = torch.zeros_like(far), torch.ones_like(far)
    points = x
    for _ in range(_bisections(attempt)):
        middle = (low + high) / 2
        between = _shrunk(x, allowed.centre, middle, far, attempt.allowed.norm)
        wrong = _wrong(attempt, between, rows)
        low, high = torch.where(wrong, low, middle), torch.where(wrong, middle, high)
        points = torch.where(wrong.reshape(-1, *[1] * (x.dim() - 1)), between, points)
    return points


def _shrunk(x: Tensor, centre: Tensor, share: Tensor, far: Tensor, norm: Norm) -> Tensor:
    """The change brought to a share of its length: of L2 as a whole, of Linf what is longer than that."""
    wide = (-1, *[1] * (x.dim() - 1))
    if norm == "L2":
        return torch.lerp(centre, x, share.reshape(wide))
    reach = (share * far).reshape(wide)
    return torch.minimum(torch.maximum(x, centre - reach), centre + reach)


def _bisections(attempt: Attempt) -> int:
    """As many as bring a point nearer to the boundary than probes reach."""
    return min(20, max(10, ceil((1.5 if attempt.allowed.norm == "L2" else 2) * log2(attempt.allowed.centre[0].numel()))))


def _wrong(attempt: Attempt, u: Tensor, rows: Tensor) -> Tensor:
    return attempt.logits(u, rows).argmax(1) != attempt.labels[rows]
