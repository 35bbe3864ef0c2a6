"""FMN: fast minimum-norm attack, whose radius follows the boundary (Pintor et al., 2021, arXiv:2102.12827)."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

import torch
from torch import Tensor

from audit.robustness.attempt import Attempt
from audit.robustness.losses import margin
from audit.robustness.method import Attack, register
from classifier.errors import ConfigurationError
from classifier.perturbation import Norm
from classifier.seeds import Seed

_DUAL = {"Linf": 1.0, "L2": 2.0, "L1": torch.inf}
# How far to go, where 1 reaches a straight boundary: short of it, the radius would near the boundary and never cross.
_OVERSHOOT = 1.05


@register
@dataclass(frozen=True, kw_only=True)
class FMN(Attack):
    """Climb the margin in a ball whose radius shrinks while the iterate is wrong and grows while it is right.

    Before a wrong row was found, the radius is the distance at which the margin would be lost if it went on as steeply.
    A step is one pass forward and one backward.

    Args:
        steps: How many steps.
        step: Length of the first one in L2, in units of change; it falls to `last_step` as a cosine.
        last_step: Length of the last one.
        shrink: By which share the radius changes at first; it falls to `last_shrink` as a cosine.
        last_shrink: By which share it changes at last.
    """

    steps: int = 100
    step: float = 1.0
    last_step: float = 1e-5
    shrink: float = 0.05
    last_shrink: float = 1e-3

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigurationError(f"steps must be at least 1, got {self.steps}")
        if not (0 < self.last_step <= self.step and 0 < self.last_shrink <= self.shrink < 1):
            raise ConfigurationError(
                "steps and shares must be above 0 and fall, and shares be under 1, "
                f"got {self.step} to {self.last_step} and {self.shrink} to {self.last_shrink}"
            )

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        rows = attempt.standing
        shape, norm = attempt.allowed.centre.shape[1:], attempt.allowed.norm
        here = attempt.allowed[rows]
        origin, lower, upper = (part.flatten(1) for part in (here.centre, here.lower, here.upper))
        x, nearest = origin, torch.full_like(origin[:, :1], torch.inf)
        radius = nearest
        for step in range(self.steps + 1):
            if len(rows) == 0:
                return
            logits, value, gradient = attempt.climb(x.reshape(-1, *shape), rows, margin, attempt.labels[rows])
            broken, wrong = attempt.submit(x.reshape(-1, *shape), rows, logits), (logits.argmax(1) != attempt.labels[rows])[:, None]
            if step == self.steps:
                return
            share = (1 + cos(pi * step / self.steps)) / 2
            slope = _usable(gradient.flatten(1), x, lower, upper)
            far = _length(x - origin, norm)
            nearest = torch.where(wrong, torch.minimum(far, nearest), nearest)
            radius = _radius(
                radius, far, nearest, wrong, _lost_at(value, slope, norm), self.last_shrink + (self.shrink - self.last_shrink) * share
            )
            # What is farther than eps would not count.
            radius = radius.clamp_max(attempt.allowed.eps)
            size = self.last_step + (self.step - self.last_step) * share
            change = x + size * _unit(slope) - origin
            x = torch.minimum(torch.maximum(origin + _into_ball(change, radius, norm), lower), upper)
            if broken.any():
                left = ~broken
                rows, origin, lower, upper, x = rows[left], origin[left], lower[left], upper[left], x[left]
                nearest, radius = nearest[left], radius[left]


def _radius(radius: Tensor, far: Tensor, nearest: Tensor, wrong: Tensor, lost_at: Tensor, shrink: float) -> Tensor:
    """The next radius ``(m, 1)``."""
    found = nearest.isfinite()
    outwards = torch.where(found, radius * (1 + shrink), far + lost_at)
    return torch.where(wrong, torch.minimum(radius * (1 - shrink), nearest), outwards)


def _lost_at(value: Tensor, slope: Tensor, norm: Norm) -> Tensor:
    """How much farther the margin is lost if it goes on as steeply ``(m, 1)``."""
    steepness = torch.linalg.vector_norm(slope, ord=_DUAL[norm], dim=1, keepdim=True)
    return _OVERSHOOT * value.abs()[:, None] / steepness.clamp_min(torch.finfo(slope.dtype).tiny)


def _length(change: Tensor, norm: Norm) -> Tensor:
    return torch.linalg.vector_norm(change, ord=torch.inf if norm == "Linf" else int(norm[1]), dim=1, keepdim=True)


def _usable(slope: Tensor, x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """The slope over the elements that can still go its way: the box would cut off the others' share of a step."""
    return torch.where(((slope > 0) & (x >= upper)) | ((slope < 0) & (x <= lower)), 0.0, slope)


def _unit(slope: Tensor) -> Tensor:
    # A confident network's gradients square to 0 in float32.
    slope = slope / slope.abs().amax(1, keepdim=True).clamp_min(torch.finfo(slope.dtype).tiny)
    return slope / torch.linalg.vector_norm(slope, dim=1, keepdim=True).clamp_min(1e-12)


def _into_ball(change: Tensor, radius: Tensor, norm: Norm) -> Tensor:
    """The nearest change within each row's radius."""
    if norm == "Linf":
        return torch.maximum(torch.minimum(change, radius), -radius)
    if norm == "L2":
        return change * (radius / _length(change, norm).clamp_min(1e-12)).clamp_max(1.0)
    # Every element gives up the same, down to 0, until what is left is the radius (Duchi et al., 2008).
    ranked = change.abs().sort(1, descending=True).values
    over = ranked.cumsum(1) - radius
    count = torch.arange(1, ranked.shape[1] + 1, device=change.device)
    last = (ranked * count > over).sum(1, keepdim=True).clamp_min(1)
    given = (over.gather(1, last - 1) / last).clamp_min(0.0)
    return change.sign() * (change.abs() - given).clamp_min(0.0)
