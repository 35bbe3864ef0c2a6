"""Noise of counting photons: a pixel is a Poisson number of them (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.images._poisson import poisson_quantiles
from audit.robustness.corruptions.row_draws import RowDraws

# Photons that make white.
_SMALL = (500.0, 250.0, 100.0, 75.0, 50.0)
_LARGE = (60.0, 25.0, 12.0, 5.0, 3.0)


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class ShotNoise(ImageCorruption):
    """Count the photons of each pixel, of which there are the fewer the darker it is."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        white = self.published(_SMALL, _LARGE, severity)
        return poisson_quantiles(draws.uniform("photons", tuple(pixels.shape[1:])).to(pixels.device), pixels * white) / white
