"""A connection that was lost: for a while the last known step is repeated."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.row_draws import RowDraws
from audit.robustness.corruptions.series._steps import SeriesCorruption

# Share of the observed steps that are lost, in one stretch.
_LOST = (0.1, 0.2, 0.3, 0.4, 0.5)


@CORRUPTIONS["sequence"].register
@dataclass(frozen=True)
class MissingStretches(SeriesCorruption):
    """Lose one stretch of each series, and repeat the step before it; at the beginning, the step after it."""

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        lengths = self.lengths(x)
        lost = (lengths * _LOST[severity - 1]).round().long().clamp_min(1).minimum(lengths - 1)
        start = (draws.uniform("start", (1,))[:, 0].to(x.device) * (lengths - lost + 1)).long()
        held = torch.where(start > 0, start - 1, lost)
        steps = torch.arange(x.shape[1], device=x.device)
        inside = (steps >= start[:, None]) & (steps < (start + lost)[:, None])
        return self.taken_at(x, torch.where(inside, held[:, None], steps))
