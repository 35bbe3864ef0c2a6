"""Windows: a connected part of an input: a square of an image, a stretch of a series, some features of a table."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """The windows of inputs of one shape.

    Args:
        shape: Shape of an input: of an image ``(C, H, W)``, of a series ``(T, D)``, of a table ``(D,)``.
    """

    shape: tuple[int, ...]

    @property
    def places(self) -> tuple[int, ...]:
        """The axes along which places lie next to each other; of a table its features, which have no neighbours."""
        return self.shape[1:] if len(self.shape) == 3 else self.shape[:1]

    @property
    def signs(self) -> tuple[int, ...]:
        """Shape of the directions in which a window changes: one a channel of an image or a series, one a feature of a table."""
        if len(self.shape) == 3:
            return (self.shape[0], 1, 1)
        return (1, self.shape[1]) if len(self.shape) == 2 else self.shape

    @property
    def stripes(self) -> tuple[int, ...]:
        """Shape of the directions that a search begins with: one a column of an image, one a step of a series, one a feature."""
        return (self.shape[0], 1, self.shape[2]) if len(self.shape) == 3 else self.shape

    @property
    def numbers(self) -> int:
        """How many random numbers decide where a window lies."""
        return self.shape[0] if len(self.shape) == 1 else len(self.places)

    def side(self, share: float) -> int:
        """How long a side is of a window that takes that share of all places; of a table, how many features it has."""
        return max(1, round((share * prod(self.places)) ** (1 / len(self.places))))

    def at(self, uniform: Tensor, side: Tensor) -> Tensor:
        """How much of a window each place is in: 0 outside, 1 in its middle, less towards its edge.

        Args:
            uniform: Numbers in [0, 1) that decide where each lies ``(m, numbers)``.
            side: Side of each ``(m,)``, int64.

        Returns:
            ``(m, 1, H, W)``, ``(m, T, 1)`` or ``(m, D)``.
        """
        if len(self.shape) == 1:
            least = uniform.sort(1).values.gather(1, (side.clamp_max(self.shape[0]) - 1)[:, None])
            return (uniform <= least).to(uniform)
        axes = [_stretch(uniform[:, axis], extent, side.clamp_max(extent)) for axis, extent in enumerate(self.places)]
        return (axes[0][:, :, None] * axes[1][:, None, :])[:, None] if len(axes) == 2 else axes[0][:, :, None]


def _stretch(uniform: Tensor, extent: int, side: Tensor) -> Tensor:
    """A stretch of that length somewhere on an axis ``(m, extent)``: 1 in its middle, falling to its ends, 0 beyond."""
    first = (uniform * (extent - side + 1)).floor()
    offset = torch.arange(extent, device=uniform.device) - first[:, None]
    length = side[:, None]
    height = 1 - (offset - (length - 1) / 2).abs() / (length / 2 + 0.5)
    return torch.where((offset >= 0) & (offset < length), height, 0.0)
