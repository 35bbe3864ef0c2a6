"""Falling snow: bright streaks, and a whiter picture (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._filters import streaked, zoomed
from audit.robustness.corruptions.images._pixels import ImageCorruption, grey
from audit.robustness.corruptions.row_draws import RowDraws

# Mean and standard deviation of the flakes, their size in pixels, the brightness below which there is none, radius and
# standard deviation of their fall in pixels, and how much of the picture stays as it was.
_SMALL = (
    (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
    (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
    (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
    (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
    (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
)
_LARGE = (
    (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
    (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
    (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
    (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
    (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
)


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class Snow(ImageCorruption):
    """Whiten the image, and lay two layers of falling flakes over it, one the other turned upside down."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        mean, deviation, size, least, radius, sigma, kept = self.published(_SMALL, _LARGE, severity)
        flakes = mean + deviation * draws.normal("flakes", (1, *pixels.shape[2:])).to(pixels)
        flakes = zoomed(flakes, 1 + (size - 1) * min(1.0, self.magnification))
        flakes = torch.where(flakes < least, torch.zeros_like(flakes), flakes).clamp(0, 1)
        # Downwards, up to 45 degrees to either side.
        angles = (draws.uniform("angle", (1,))[:, 0].to(pixels) + 0.5) * pi / 2
        flakes = streaked(flakes, angles, steps=2 * radius + 1, sigma=sigma, step=self.magnification)
        whitened = torch.maximum(pixels, 1.5 * grey(pixels) + 0.5)
        return kept * pixels + (1 - kept) * whitened + flakes + flakes.flip((2, 3))
