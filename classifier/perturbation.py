"""What an attacker may turn an input into: a ball inside a box, and one gradient step in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from classifier.errors import ConfigurationError
from classifier.modality import modality_of
from classifier.schema import Schema

Norm = Literal["Linf", "L2"]


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
        norm: ``"Linf"`` or ``"L2"``.
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
        if self.norm not in ("Linf", "L2"):
            raise ConfigurationError(f"norm must be Linf or L2, got {self.norm!r}")

    @classmethod
    def around(cls, x: Tensor, schema: Schema, *, eps: float, norm: Norm = "Linf", constrained: bool = True) -> PerturbationSet:
        """The inputs that may stand in for `x`.

        Args:
            x: Encoded inputs ``(N, *S)``; one outside the schema's bounds keeps its own value as a bound.
            schema: Where the bounds, the immutable features and the directions come from.
            eps: Radius, as a fraction of each feature's range.
            norm: ``"Linf"`` or ``"L2"``.
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
        return PerturbationSet(self.centre[rows], self.lower[rows], self.upper[rows], self.scale, self.eps, self.norm)

    def project(self, x: Tensor) -> Tensor:
        """An allowed input near `x`: into the ball, then into the box; the nearest one under Linf.

        Clipping after a projection onto the ball stays in the ball, since the box holds the centre.
        """
        delta = (x - self.centre) / self.scale
        if self.norm == "Linf":
            delta = delta.clamp(-self.eps, self.eps)
        else:
            delta = delta * (self.eps / _length(delta).clamp_min(1e-12)).clamp_max(1.0)
        return (self.centre + delta * self.scale).clamp(self.lower, self.upper)

    def step(self, x: Tensor, gradient: Tensor, size: float) -> Tensor:
        """One step of steepest ascent, of length `size` in units of change, projected.

        Args:
            x: Where to step from ``(N, *S)``.
            gradient: Gradient of what is to grow, with respect to `x` ``(N, *S)``.
            size: Length of the step in the set's norm.
        """
        slope = gradient * self.scale
        direction = slope.sign() if self.norm == "Linf" else _unit(slope)
        return self.project(x + size * direction * self.scale)

    def random(self, generator: torch.Generator) -> Tensor:
        """A random allowed input for each row, uniform in the cube around the centre and projected."""
        noise = torch.rand(self.centre.shape, generator=generator, device=generator.device).to(self.centre)
        return self.project(self.centre + (2 * noise - 1) * self.eps * self.scale)

    def distance(self, x: Tensor) -> Tensor:
        """Distance of each input from its centre, in units of change ``(N,)``."""
        delta = ((x - self.centre) / self.scale).flatten(1)
        return delta.abs().amax(1) if self.norm == "Linf" else torch.linalg.vector_norm(delta, dim=1)


def _unit(slope: Tensor) -> Tensor:
    """Each row at length 1, or 0 where it is 0."""
    # A confident network's gradients square to 0 in float32; against a gradient of 1e-25 the step must still be whole.
    peak = slope.flatten(1).abs().amax(1).reshape(-1, *[1] * (slope.dim() - 1))
    slope = slope / peak.clamp_min(torch.finfo(slope.dtype).tiny)
    return slope / _length(slope).clamp_min(1e-12)


def _length(delta: Tensor) -> Tensor:
    return torch.linalg.vector_norm(delta.flatten(1), dim=1).reshape(-1, *[1] * (delta.dim() - 1))
