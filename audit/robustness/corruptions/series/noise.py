"""A noisy sensor: a Gaussian number on every measurement."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.numbers import natural, numeric_features, put
from audit.robustness.corruptions.row_draws import RowDraws
from audit.robustness.corruptions.series._steps import NumberCorruption

# Standard deviation, in units of change: a variable's range, or its scale.
_SIGMA = (0.01, 0.02, 0.05, 0.1, 0.2)


@CORRUPTIONS["sequence"].register
@dataclass(frozen=True)
class Noise(NumberCorruption):
    """Add a Gaussian number to every number of every step; what has bounds stays in them."""

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        corrupted = x.clone()
        for feature in numeric_features(self.schema):
            error = draws.normal(feature.name, (x.shape[1],)).to(x) * (_SIGMA[severity - 1] * feature.span)
            put(self.schema, feature, corrupted, natural(self.schema, feature, x) + error)
        return self.completed(corrupted, x)
