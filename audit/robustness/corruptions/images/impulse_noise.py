"""Noise of broken bits: some pixels are black or white (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# Share of the pixels.
_SMALL = (0.01, 0.02, 0.03, 0.05, 0.07)
_LARGE = (0.03, 0.06, 0.09, 0.17, 0.27)


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class ImpulseNoise(ImageCorruption):
    """Set some pixels of each channel to its lowest or its highest value, one as likely as the other."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        shape = tuple(pixels.shape[1:])
        broken = draws.uniform("broken", shape).to(pixels) < self.published(_SMALL, _LARGE, severity)
        return (draws.uniform("white", shape).to(pixels) < 0.5).to(pixels).where(broken, pixels)
