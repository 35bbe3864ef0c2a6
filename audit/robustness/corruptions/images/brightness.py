"""More light: the value of hue, saturation and value rises (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# What is added to the value, which is that of the brightest channel.
_SMALL = (0.05, 0.1, 0.15, 0.2, 0.3)
_LARGE = (0.1, 0.2, 0.3, 0.4, 0.5)


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class Brightness(ImageCorruption):
    """Raise the brightest channel of each pixel, and the others in proportion, so that hue and saturation stay."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        value = pixels.amax(1, keepdim=True)
        raised = (value + self.published(_SMALL, _LARGE, severity)).clamp_max(1)
        # Black has no hue, and becomes grey.
        return torch.where(value > 0, pixels * raised / value.clamp_min(1e-12), raised)
