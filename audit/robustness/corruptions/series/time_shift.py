"""A recording that began too early or too late."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.row_draws import RowDraws
from audit.robustness.corruptions.series._steps import SeriesCorruption

# Share of the observed steps, at least one.
_SHIFT = (0.02, 0.05, 0.1, 0.15, 0.2)


@CORRUPTIONS["sequence"].register
@dataclass(frozen=True)
class TimeShift(SeriesCorruption):
    """Move each series earlier or later, and repeat its last step or its first where nothing is known."""

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        lengths = self.lengths(x)
        steps = (lengths * _SHIFT[severity - 1]).round().long().clamp_min(1)
        later = draws.uniform("later", (1,))[:, 0].to(x.device) < 0.5
        places = torch.arange(x.shape[1], device=x.device) + torch.where(later, -steps, steps)[:, None]
        return self.taken_at(x, places.clamp_min(0).minimum(lengths[:, None] - 1))
