"""Stretched and bent (Simard et al., 2003, ICDAR; Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._filters import blurred, taken_from
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# As shares of the side: how far pixels bend, how smoothly, and how far three corners of a square are moved.
_SMALL = ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
_LARGE = ((2.0, 0.7, 0.1), (2.0, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
# The published shares are of 244 pixels, for images of 224.
_STRETCH = 244 / 224


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class ElasticTransform(ImageCorruption):
    """Move three corners of a square in the middle, the rest with them, then bend it all smoothly.

    The published severities trade the one for the other, so that a severer image is not always farther from the clean one.
    """

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        bend, smooth, move = (share * self.side for share in self.published(_SMALL, _LARGE, severity))
        if self.published((1.0,) * 5, (_STRETCH,) * 5, severity) != 1:
            bend, smooth, move = bend * _STRETCH, smooth * _STRETCH, move * _STRETCH
        height, width = pixels.shape[2:]
        down, right = self._corners(pixels, move, draws)
        moved = taken_from(pixels, down, right, beyond="reflection")
        if bend == 0:
            return moved
        waves = blurred(2 * draws.uniform("waves", (2, height, width)).to(pixels) - 1, smooth, beyond="reflection") * bend
        return taken_from(moved, waves[:, 0], waves[:, 1], beyond="reflection")

    def _corners(self, pixels: Tensor, move: float, draws: RowDraws) -> tuple[Tensor, Tensor]:
        """How far below and to the right each pixel is taken from ``(N, H, W)``, when three corners are moved."""
        height, width = pixels.shape[2:]
        half = self.side // 3 or 1
        corners = torch.tensor([[half, half], [half, -half], [-half, -half]], dtype=pixels.dtype, device=pixels.device)
        # A corner that crossed to another would fold the image; the published moves are too small for it.
        target = corners + (2 * draws.uniform("corners", (3, 2)).to(pixels) - 1) * min(move, 0.49 * half)
        ones = torch.ones(len(pixels), 3, 1, dtype=pixels.dtype, device=pixels.device)
        # The map back from where the corners have gone to where they were, row by row ``(N, 3, 2)``.
        back = torch.linalg.solve(torch.cat([target, ones], 2), corners.expand(len(pixels), 3, 2))
        rows = torch.arange(height, device=pixels.device, dtype=pixels.dtype) - height // 2
        columns = torch.arange(width, device=pixels.device, dtype=pixels.dtype) - width // 2
        here = torch.stack([*torch.meshgrid(rows, columns, indexing="ij"), torch.ones_like(pixels[0, 0])], dim=2)
        there = torch.einsum("hwi,nij->nhwj", here, back)
        return there[..., 0] - here[..., 0], there[..., 1] - here[..., 1]
