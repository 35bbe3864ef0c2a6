"""Too few pixels: the image is made small and large again (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# Share of the side that is left.
_SMALL = (0.95, 0.9, 0.85, 0.75, 0.65)
_LARGE = (0.6, 0.5, 0.4, 0.3, 0.25)


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class Pixelate(ImageCorruption):
    """Average the pixels of a coarser grid, and give each pixel the mean of its cell."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        share = self.published(_SMALL, _LARGE, severity)
        rows, columns = (_there_and_back(extent, max(1, int(extent * share))).to(pixels) for extent in pixels.shape[2:])
        return rows @ pixels @ columns.mT


def _there_and_back(extent: int, cells: int) -> Tensor:
    """What each pixel of a line is made of, when it is averaged to cells and drawn again ``(extent, extent)``."""
    edges = torch.arange(extent + 1, dtype=torch.float64)
    borders = torch.arange(cells + 1, dtype=torch.float64) * extent / cells
    # How much of each pixel lies in each cell ``(cells, extent)``.
    shared = (torch.minimum(borders[1:, None], edges[1:]) - torch.maximum(borders[:-1, None], edges[:-1])).clamp_min(0)
    cell = ((torch.arange(extent, dtype=torch.float64) + 0.5) * cells / extent).long()
    return (shared * cells / extent)[cell]
