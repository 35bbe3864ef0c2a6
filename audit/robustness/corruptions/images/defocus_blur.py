"""A lens out of focus: every point becomes a disc (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._filters import blurred, filtered
from audit.robustness.corruptions.images._pixels import SMALL, ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# Radius of the disc, and the Gaussian that softens its rim, in pixels.
_SMALL = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))
_LARGE = ((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5))


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class DefocusBlur(ImageCorruption):
    """Spread each pixel over a disc.

    The disc is of whole pixels, so its radius does not shrink below the published one in small images, where nothing
    would be left of it, nor below one pixel in large ones.
    """

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        radius, rim = self.published(_SMALL, _LARGE, severity)
        if self.side > SMALL:
            radius = max(1.0, radius * self.magnification)
        reach = int(radius)
        places = torch.arange(-reach, reach + 1, device=pixels.device)
        disc = (places[:, None] ** 2 + places**2 <= radius**2).to(pixels)
        return blurred(filtered(pixels, disc / disc.sum()), rim)
