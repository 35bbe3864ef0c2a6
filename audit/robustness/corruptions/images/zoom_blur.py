"""A camera that came nearer while it exposed (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._filters import zoomed
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# How many magnifications from 1 upwards, and the distance between two.
_SMALL = ((6, 0.01), (11, 0.01), (16, 0.01), (21, 0.01), (26, 0.01))
_LARGE = ((11, 0.01), (16, 0.01), (11, 0.02), (13, 0.02), (11, 0.03))


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class ZoomBlur(ImageCorruption):
    """Average the image and its magnifications about the middle."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        count, apart = self.published(_SMALL, _LARGE, severity)
        total = torch.clone(pixels)
        for step in range(count):
            total += zoomed(pixels, 1 + step * apart)
        return total / (count + 1)
