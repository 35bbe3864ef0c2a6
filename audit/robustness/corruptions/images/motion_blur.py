"""A camera that moved: every point becomes a streak (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._filters import streaked
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# Radius of the streak and its standard deviation, in pixels.
_SMALL = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))
_LARGE = ((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0))


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class MotionBlur(ImageCorruption):
    """Average each pixel along a line, up to 45 degrees from the level, another direction for each image."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        radius, sigma = self.published(_SMALL, _LARGE, severity)
        angles = (draws.uniform("angle", (1,))[:, 0].to(pixels) - 0.5) * pi / 2
        return streaked(pixels, angles, steps=2 * radius + 1, sigma=sigma, step=self.magnification)
