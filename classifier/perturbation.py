"""What an attacker may turn an input into: a ball inside a box, and one gradient step in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import torch
from torch import Tensor

from classifier.errors import ConfigurationError
from classifier.modality import modality_of
from classifier.schema import Schema

Norm = Literal["Linf", "L2", "L1"]

# Of L1, the share of an input's elements that one step moves: the steepest alone would move a single one.
_STEEPEST = 0.05


@dataclass(frozen=True)
class PerturbationSet:
    """The inputs within `eps` of each centre that also lie in its box.

    Distances are measured in units of change (a feature's range, or its scale), so `eps` is the same
    fraction for every feature.

    Args:
        centre: The inputs that are perturbed ``(N, *S)``.
        lower: Smallest allowed value of each element ``(N, *S)``.
        upper: Largest allowed value of each element ``(N, *S)``.
        scale: How far an element moves for one unit of change ``(*S)``.
        eps: Radius, in units of change.
        norm: ``"Linf"``, ``"L2"`` or ``"L1"``.
    """

    centre: Tensor
    lower: Tensor
    upper: Tensor
    scale: Tensor
    eps: float
    norm: Norm = "Linf"

    def __post_init__(self) -> None:
        if not self.eps >= 0:
            raise ConfigurationError(f"eps must be at least 0, got {self.eps}")
        if self.norm not in get_args(Norm):
            raise ConfigurationError(f"norm must be Linf, L2 or L1, got {self.norm!r}")

    @classmethod
    def around(cls, x: Tensor, schema: Schema, *, eps: float, norm: Norm = "Linf", constrained: bool = True) -> PerturbationSet:
        """The inputs that may stand in for `x`.

        Args:
            x: Encoded inputs ``(N, *S)``; one outside the schema's bounds keeps its own value as a bound.
            schema: Where the bounds, the immutable features and the directions come from.
            eps: Radius, as a fraction of each feature's range.
            norm: ``"Linf"``, ``"L2"`` or ``"L1"``.
            constrained: Whether immutable features stay and directional ones move their way only;
                otherwise only the bounds hold.
        """
        low, high = (bound.to(x) for bound in schema.bounds)
        lower = torch.minimum(low.expand_as(x), x)
        upper = torch.maximum(high.expand_as(x), x)
        if constrained:
            fall, rise = (move.to(x.device) for move in modality_of(schema).movable)
            lower, upper = torch.where(fall, lower, x), torch.where(rise, upper, x)
        return cls(x, lower, upper, schema.scale.to(x), eps, norm)

    def __getitem__(self, rows: Tensor) -> PerturbationSet:
        """The same for some of the rows."""
        return replace(self, centre=self.centre[rows], lower=self.lower[rows], upper=self.upper[rows])

    def in_units(self) -> PerturbationSet:
        """The same with everything in units of change, so that the scale is 1."""
        low, centre, high = (value / self.scale for value in (self.lower, self.centre, self.upper))
        return PerturbationSet(centre, low, high, torch.ones_like(self.scale), self.eps, self.norm)

    @cached_property
    def cube(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest value of each element within eps of its centre's, and in the box ``(N, *S)``."""
        reach = self.eps * self.scale
        return torch.maximum(self.centre - reach, self.lower), torch.minimum(self.centre + reach, self.upper)

    def project(self, x: Tensor) -> Tensor:
        """An allowed input near `x`: of Linf and L1 the nearest one, of L2 into the ball and then into the box.

        Clipping after a projection onto the ball stays in the ball, since the box holds the centre.
        """
        if self.norm == "Linf":
            return torch.clamp(x, *self.cube)
        delta = (x - self.centre) / self.scale
        if self.norm == "L2":
            delta = delta * (self.eps / _length(delta).clamp_min(1e-12)).clamp_max(1.0)
        else:
            delta = _into_l1(delta, (self.lower - self.centre) / self.scale, (self.upper - self.centre) / self.scale, self.eps)
        return (self.centre + delta * self.scale).clamp(self.lower, self.upper)

    def rounded_inside(self, x: Tensor) -> Tensor:
        """The inputs in box and ball next to `x`, which rounding may have carried out of them.

        A large value has few numbers around it: in single precision 2000.3 lies 1e-4 beside where it was meant.
        """
        x = x.clamp(self.lower, self.upper)
        delta = x - self.centre
        if self.norm == "Linf":
            most = self.eps * self.scale
            delta = torch.minimum(torch.maximum(delta, -most), most)
        else:
            far = self.distance(x).clamp_min(1e-12).reshape(-1, *[1] * (x.dim() - 1))
            delta = delta * (self.eps / far).clamp_max(1.0)
        moved = self.centre + delta
        return torch.where((moved - self.centre).abs() > delta.abs(), torch.nextafter(moved, self.centre), moved)

    def step(self, x: Tensor, gradient: Tensor, size: float | Tensor, *, share: float | Tensor = _STEEPEST) -> Tensor:
        """One step of steepest ascent, of length `size` in units of change, projected.

        Args:
            x: Where to step from ``(N, *S)``.
            gradient: Gradient of what is to grow, with respect to `x` ``(N, *S)``.
            size: Length of the step in the set's norm, one for all or ``(N, *1)``.
            share: Of L1, the share of the elements that it moves, those of the steepest slope; one for all or ``(N,)``.
        """
        return self.project(x + size * self.direction(x, gradient, share=share) * self.scale)

    def direction(self, x: Tensor, gradient: Tensor, *, share: float | Tensor = _STEEPEST) -> Tensor:
        """The direction of steepest ascent, of length 1 in the set's norm, in units of change ``(N, *S)``.

        Args:
            x: Where it starts ``(N, *S)``: of L1, an element that is at its bound has no slope over it.
            gradient: Gradient with respect to `x` ``(N, *S)``.
            share: Of L1, the share of the elements that it moves, one for all or ``(N,)``.
        """
        slope = gradient * self.scale
        if self.norm == "Linf":
            return slope.sign()
        return _unit(slope) if self.norm == "L2" else _steepest(slope, x <= self.lower, x >= self.upper, share)

    def random(self, generator: torch.Generator) -> Tensor:
        """A random allowed input for each row, uniform in the cube around the centre and projected."""
        noise = torch.rand(self.centre.shape, generator=generator, device=generator.device).to(self.centre)
        return self.project(self.centre + (2 * noise - 1) * self.eps * self.scale)

    def distance(self, x: Tensor) -> Tensor:
        """Distance of each input from its centre, in units of change ``(N,)``."""
        delta = ((x - self.centre) / self.scale).flatten(1)
        return delta.abs().amax(1) if self.norm == "Linf" else torch.linalg.vector_norm(delta, ord=int(self.norm[1]), dim=1)


def _into_l1(delta: Tensor, lower: Tensor, upper: Tensor, eps: float) -> Tensor:
    """The nearest of the changes within `eps` of L1 and in the box (Croce and Hein, 2021, arXiv:2103.01208, section 3).

    It takes the same from the size of every element, but no more than there is, from where the box lets it be.
    """
    size = delta.abs().flatten(1)
    room = torch.where(delta > 0, upper, -lower).flatten(1).clamp_min(0).minimum(size)
    over = room.sum(1) > eps
    if not over.any():
        return delta.clamp(lower, upper)
    size, most = size[over], room[over]
    # What is left is piecewise linear in what is taken: an element begins to shrink at size - most and is gone at size.
    places, order = torch.cat([size - most, size], 1).sort(1)
    slopes = torch.cat([-torch.ones_like(size), torch.ones_like(size)], 1).gather(1, order).cumsum(1)
    left = torch.nn.functional.pad((slopes[:, :-1] * places.diff(dim=1)).cumsum(1), (1, 0)) + most.sum(1, keepdim=True)
    # Rounding must not put it behind the last place, from where on nothing is left to shrink.
    last = ((left > eps).sum(1, keepdim=True) - 1).clamp_max(places.shape[1] - 2)
    taken = places.gather(1, last) + (left.gather(1, last) - eps) / -slopes.gather(1, last).clamp_max(-1)
    room[over] = (size - taken).clamp_min(0).minimum(most)
    return delta.sign() * room.reshape(delta.shape)


def _steepest(slope: Tensor, floor: Tensor, ceiling: Tensor, share: float | Tensor) -> Tensor:
    """Equal steps along the elements of the steepest slope that can move, of length 1 in L1."""
    usable = torch.where((floor & (slope < 0)) | (ceiling & (slope > 0)), torch.zeros_like(slope), slope).flatten(1)
    count = torch.as_tensor(share * usable.shape[1], device=slope.device).clamp(1, usable.shape[1]).long().expand(len(usable))
    ranked = usable.abs().sort(1, descending=True).values
    chosen = usable.sign() * (usable.abs() >= ranked.gather(1, count[:, None] - 1))
    return (chosen / chosen.abs().sum(1, keepdim=True).clamp_min(1)).reshape(slope.shape)


def _unit(slope: Tensor) -> Tensor:
    """Each row at length 1, or 0 where it is 0."""
    # A confident network's gradients square to 0 in float32; against a gradient of 1e-25 the step must still be whole.
    peak = slope.flatten(1).abs().amax(1).reshape(-1, *[1] * (slope.dim() - 1))
    slope = slope / peak.clamp_min(torch.finfo(slope.dtype).tiny)
    return slope / _length(slope).clamp_min(1e-12)


def _length(delta: Tensor) -> Tensor:
    return torch.linalg.vector_norm(delta.flatten(1), dim=1).reshape(-1, *[1] * (delta.dim() - 1))
