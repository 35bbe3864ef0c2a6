"""A sensor of the wrong gain: every measurement of a variable is too large by a factor, or too small."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.numbers import natural, numeric_features, put
from audit.robustness.corruptions.row_draws import RowDraws
from audit.robustness.corruptions.series._steps import NumberCorruption

# How far the factor is from 1.
_GAIN = (0.05, 0.1, 0.2, 0.3, 0.5)


@CORRUPTIONS["sequence"].register
@dataclass(frozen=True)
class Scaling(NumberCorruption):
    """Multiply each variable of a series by a factor of its own, in natural units; what has bounds stays in them."""

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        corrupted = x.clone()
        for feature in numeric_features(self.schema):
            gain = torch.where(draws.uniform(feature.name, (1,)).to(x.device) < 0.5, 1.0, -1.0) * _GAIN[severity - 1]
            put(self.schema, feature, corrupted, natural(self.schema, feature, x) * (1 + gain))
        return self.completed(corrupted, x)
