"""What the corruptions of images share: pixels from 0 to 1, in and out of the schema's encoding, and the published severities."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import Corruption
from audit.robustness.corruptions.row_draws import RowDraws

Setting = TypeVar("Setting")

# Up to this many pixels a side, the published severities are those for 32 pixels, else those for 224.
SMALL = 64
_PUBLISHED_SMALL, _PUBLISHED_LARGE = 32, 224


@dataclass(frozen=True)
class ImageCorruption(Corruption):
    """A corruption of pixels from 0 to 1, as the schema's bounds scale them; a channel of whole levels keeps to them.

    A pixel outside the bounds is brought to the nearest before it is corrupted, as a file could not hold it.
    """

    def why_not(self) -> str:
        low, high = self.schema.column_bounds
        unbounded = [name for name, a, b in zip(self.schema.names, low, high, strict=True) if not (a.isfinite() and b.isfinite())]
        return f"channel {unbounded[0]!r} has no bounds, and what black and white are is not known" if unbounded else ""

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        low, high = (bound[:, None, None].to(x) for bound in self.schema.column_bounds)
        pixels = ((x - low) / (high - low)).clamp(0, 1)
        changed = self.damage(pixels, severity, draws).clamp(0, 1)
        levels = torch.tensor([self._levels(index) for index in range(len(self.schema.features))])[:, None, None].to(x)
        changed = torch.where(levels > 0, (changed * levels).round() / levels.clamp_min(1), changed)
        return low + changed * (high - low)

    @abstractmethod
    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        """Corrupt pixels from 0 to 1 ``(N, C, H, W)``; what leaves the interval is clipped."""

    @property
    def side(self) -> int:
        """The shorter side in pixels."""
        return min(self.schema.size)

    def published(self, small: Sequence[Setting], large: Sequence[Setting], severity: int) -> Setting:
        """The setting of a severity: that of CIFAR-10-C for small images, else that of ImageNet-C."""
        return (small if self.side <= SMALL else large)[severity - 1]

    @property
    def magnification(self) -> float:
        """How many pixels stand for one of the images that the settings were published for."""
        return self.side / (_PUBLISHED_SMALL if self.side <= SMALL else _PUBLISHED_LARGE)

    def _levels(self, index: int) -> float:
        """How many steps a channel has from its low to its high; 0 where it has any number."""
        feature = self.schema.features[index]
        return {"continuous": 0.0, "binary": 1.0}.get(feature.kind, feature.span)


def grey(pixels: Tensor) -> Tensor:
    """The brightness of each pixel ``(N, 1, H, W)``: of red, green and blue as ITU-R BT.601 weighs them, else the mean."""
    if pixels.shape[1] != 3:
        return pixels.mean(1, keepdim=True)
    weights = torch.tensor([0.299, 0.587, 0.114]).to(pixels)
    return (pixels * weights[:, None, None]).sum(1, keepdim=True)
