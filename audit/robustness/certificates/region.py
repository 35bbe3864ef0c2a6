"""Where an input may be: a ball inside a box, and the least that a linear function is there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from audit.robustness.reach import with_rounding
from classifier.perturbation import Norm, PerturbationSet
from classifier.schema import Schema

# By what share a distance that was measured in single precision may be too small.
_BEYOND = 1e-6
_ROUNDS = 8


@dataclass(frozen=True)
class Region:
    """The inputs within a ball around each centre that lie in its box, in double precision.

    Args:
        centre: ``(N, *S)``.
        lower: Lowest value of each element in ball and box ``(N, *S)``.
        upper: Highest ``(N, *S)``.
        scale: How far an element moves for one unit of change ``(*S)``.
        eps: Radius, in units of change.
        norm: Of the ball.
    """

    centre: Tensor
    lower: Tensor
    upper: Tensor
    scale: Tensor
    eps: float
    norm: Norm

    @classmethod
    def around(cls, x: Tensor, schema: Schema, *, eps: float, norm: Norm, constrained: bool) -> Region:
        """What `PerturbationSet.around` allows, and what its rounding in single precision lets in besides.

        Args:
            x: Inputs ``(N, *S)``.
            schema: Where bounds, units, and what may change come from.
            eps: Radius, in units of change.
            norm: Of the ball.
            constrained: Whether immutable features stay, and directional ones move their way only.
        """
        reach = with_rounding(eps) * (1 + _BEYOND)
        sets = [PerturbationSet.around(each, schema, eps=reach, norm=norm, constrained=constrained) for each in (x, x.double())]
        (low, high), (lower, upper) = (tuple(corner.double() for corner in each.cube) for each in sets)
        return cls(x.double(), torch.minimum(low, lower), torch.maximum(high, upper), sets[1].scale.double(), reach, norm)

    def least(self, coefficients: Tensor, rows: Tensor) -> Tensor:
        """The least value of linear functions over the regions of some rows ``(M,)``.

        Exact over a ball of Linf or L1 with the box; of L2 never above the least, and equal to it but for rounding.

        Args:
            coefficients: ``(M, *S)``.
            rows: The row of each function ``(M,)``.
        """
        slope = coefficients.flatten(1)
        if self.norm == "Linf":
            middle, radius = self._cube
            return (slope * middle[rows]).sum(1) - (slope.abs() * radius[rows]).sum(1)
        room = torch.where(slope > 0, self._room[0][rows], self._room[1][rows])
        benefit = slope.abs() * self.scale.flatten()
        return (slope * self.centre.flatten(1)[rows]).sum(1) - (_within_l1 if self.norm == "L1" else _within_l2)(benefit, room, self.eps)

    @cached_property
    def _cube(self) -> tuple[Tensor, Tensor]:
        return ((self.lower + self.upper) / 2).flatten(1), ((self.upper - self.lower) / 2).flatten(1)

    @cached_property
    def _room(self) -> tuple[Tensor, Tensor]:
        """How far each element may fall and rise, in units of change."""
        fall, rise = (self.centre - self.lower) / self.scale, (self.upper - self.centre) / self.scale
        return fall.flatten(1), rise.flatten(1)


def _within_l1(benefit: Tensor, room: Tensor, eps: float) -> Tensor:
    """The most that changes of `eps` in sum are worth, none larger than its room: the dearest first ``(M,)``."""
    benefit, order = benefit.sort(1, descending=True)
    room = room.gather(1, order)
    spent = room.cumsum(1) - room
    return (benefit * torch.minimum(room, (eps - spent).clamp_min(0))).sum(1)


def _within_l2(benefit: Tensor, room: Tensor, eps: float) -> Tensor:
    """At least the most that changes of length `eps` are worth, none larger than its room ``(M,)``.

    By weak duality what any multiplier gives is at least that, so that it need not have been found for the bound to hold.
    """
    whole = (benefit * room).sum(1)
    ratio = eps / torch.linalg.vector_norm(benefit, dim=1).clamp_min(1e-300)
    for _ in range(_ROUNDS):
        full = ratio[:, None] * benefit >= room
        left = (eps**2 - (room * full).square().sum(1)).clamp_min(0)
        free = (benefit * ~full).square().sum(1)
        # Rising from the ball's own multiplier to that of ball and box.
        ratio = torch.maximum(ratio, torch.where(free > 0, (left / free.clamp_min(1e-300)).sqrt(), ratio))
    ratio = ratio.detach().clamp(1e-150, 1e150)
    change = torch.minimum(ratio[:, None] * benefit, room)
    dual = (benefit * change - change.square() / (2 * ratio[:, None])).sum(1) + eps**2 / (2 * ratio)
    return torch.minimum(dual, whole)
