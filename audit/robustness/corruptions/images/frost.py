"""Crystals of ice on the lens (Hendrycks and Dietterich, 2019, arXiv:1903.12261), grown here rather than photographed."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.images._plasma import plasma, plasma_side
from audit.robustness.corruptions.row_draws import RowDraws

# How much is left of the image, and how much of the frost is laid over it.
_SMALL = ((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))
_LARGE = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))
# Below this side, a needle of ice is a pixel, and frost is noise.
_LEAST = 28
# How fast the clouds smooth out that the needles and the rime are made of, and the brightness of clear glass.
_NEEDLES, _RIME, _CLEAR = 1.35, 1.7, 0.15


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class Frost(ImageCorruption):
    """Lay needles of ice over the image.

    The published frost is cut from six photographs. This one is drawn: needles run along the middle heights of one map of
    clouds, and another says where the glass is clear. So the numbers are not those of ImageNet-C.
    """

    def why_not(self) -> str:
        if self.side < _LEAST:
            height, width = self.schema.size
            return f"frost needs at least {_LEAST} x {_LEAST} pixels, and the images have {height} x {width}"
        return super().why_not()

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        kept, laid = self.published(_SMALL, _LARGE, severity)
        height, width = pixels.shape[2:]
        side = plasma_side((height, width))
        clouds, rime = (
            plasma(draws.uniform(name, (side, side)).to(pixels), decay)[:, None, :height, :width]
            for name, decay in (("needles", _NEEDLES), ("rime", _RIME))
        )
        needles = (1 - (2 * clouds - 1).abs()) ** 3
        ice = _CLEAR + (1 - _CLEAR) * (0.65 * needles + 0.35 * rime)
        return kept * pixels + laid * ice
