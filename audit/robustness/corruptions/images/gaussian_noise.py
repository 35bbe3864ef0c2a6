"""Noise as of a sensor in little light: a Gaussian number on every pixel (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# Standard deviation, of pixels from 0 to 1.
_SMALL = (0.04, 0.06, 0.08, 0.09, 0.10)
_LARGE = (0.08, 0.12, 0.18, 0.26, 0.38)


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class GaussianNoise(ImageCorruption):
    """Add a Gaussian number to each pixel of each channel."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        return pixels + self.published(_SMALL, _LARGE, severity) * draws.normal("noise", tuple(pixels.shape[1:])).to(pixels)
