"""Maximum pooling between its surest element and a line above it (Boopathy et al., 2019, arXiv:1811.12395, section 3, simplified)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from explain.gradients.piecewise import pool_windows


@dataclass(frozen=True)
class Maxima:
    """What is known of the maximum of each window.

    The maximum is at least its surest element, the one whose lower bound is the highest. Where no other can be above
    it the maximum is that element; elsewhere it is at most the highest upper bound.

    Args:
        surest: Place of the surest element among all of its row ``(N, W)``.
        most: Highest upper bound ``(N, W)``.
        decided: Whether no other element can be above the surest ``(N, W)``, bool.
    """

    surest: Tensor
    most: Tensor
    decided: Tensor

    @classmethod
    def of(cls, layer: nn.MaxPool1d | nn.MaxPool2d, lower: Tensor, upper: Tensor) -> Maxima:
        """For inputs between `lower` and `upper`, each ``(N, C, *spatial)``."""
        low, high = pool_windows(layer, lower), pool_windows(layer, upper)
        chosen = low.argmax(2, keepdim=True)
        # As positions in double precision: what lies beyond the edge is minus infinity, and never the surest.
        places = torch.arange(prod(lower.shape[1:]), dtype=lower.dtype, device=lower.device).reshape(1, *lower.shape[1:])
        surest = pool_windows(layer, places).expand(len(low), -1, -1).gather(2, chosen)[..., 0].long()
        others = high.scatter(2, chosen, -torch.inf).amax(2)
        return cls(surest, high.amax(2), others <= low.gather(2, chosen)[..., 0])

    def back(self, coefficients: Tensor, rows: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """A linear function of the maxima, as one of the elements that is nowhere above it.

        Args:
            coefficients: Of the maxima ``(M, C, *windows)``.
            rows: The row of each function ``(M,)``.
            shape: Shape of the elements of one row ``(C, *spatial)``.

        Returns:
            Coefficients of the elements ``(M, C, *spatial)``, and what is added ``(M,)``.
        """
        flat = coefficients.flatten(1)
        held = self.decided[rows] | (flat > 0)
        kept = flat * held
        before = flat.new_zeros(len(flat), prod(shape)).scatter_add(1, self.surest[rows], kept)
        return before.reshape(-1, *shape), ((flat - kept) * self.most[rows]).sum(1)
