"""Fog: bright clouds that take the contrast away (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.images._plasma import plasma, plasma_side
from audit.robustness.corruptions.row_draws import RowDraws

# How much fog, and how fast its clouds smooth out.
_SMALL = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))
_LARGE = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class Fog(ImageCorruption):
    """Add clouds, and darken the whole so that its brightest value is no brighter than it was."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        amount, decay = self.published(_SMALL, _LARGE, severity)
        height, width = pixels.shape[2:]
        side = plasma_side((height, width))
        clouds = plasma(draws.uniform("clouds", (side, side)).to(pixels), decay)[:, None, :height, :width]
        brightest = pixels.amax((1, 2, 3), keepdim=True)
        return (pixels + amount * clouds) * brightest / (brightest + amount)
