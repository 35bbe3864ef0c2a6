"""Less contrast: pixels come nearer to their mean (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# What is left of the distance to the mean.
_SMALL = (0.75, 0.5, 0.4, 0.3, 0.15)
_LARGE = (0.4, 0.3, 0.2, 0.1, 0.05)


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class Contrast(ImageCorruption):
    """Shrink the distance of each pixel to the mean of its channel in the image."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        mean = pixels.mean((2, 3), keepdim=True)
        return mean + self.published(_SMALL, _LARGE, severity) * (pixels - mean)
