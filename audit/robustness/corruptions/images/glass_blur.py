"""Frosted glass: pixels trade places with their neighbours (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._filters import blurred
from audit.robustness.corruptions.images._pixels import SMALL, ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# Standard deviation of the blur before and after, farthest neighbour, and how often, the first two in pixels.
_SMALL = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))
_LARGE = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class GlassBlur(ImageCorruption):
    """Take each pixel from a place near its own, between two slight blurs.

    All pixels at once, each from a neighbour drawn on its own, where the published one swaps pair after pair: so a pixel
    may be seen twice. A neighbour is at least one pixel away whatever the size.
    """

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        sigma, farthest, times = self.published(_SMALL, _LARGE, severity)
        if self.side > SMALL:
            sigma, farthest = sigma * self.magnification, max(1, round(farthest * self.magnification))
        height, width = pixels.shape[2:]
        rows, columns = torch.arange(height, device=pixels.device)[:, None], torch.arange(width, device=pixels.device)
        seen = blurred(pixels, sigma)
        for time in range(times):
            offsets = draws.uniform(f"offsets {time}", (2, height, width)).to(pixels.device) * (2 * farthest + 1)
            down, right = (offsets.floor().long() - farthest).unbind(1)
            from_place = (rows + down).clamp(0, height - 1) * width + (columns + right).clamp(0, width - 1)
            index = from_place.flatten(1)[:, None].expand(-1, seen.shape[1], -1)
            seen = seen.flatten(2).gather(2, index).reshape(seen.shape)
        return blurred(seen, sigma)
