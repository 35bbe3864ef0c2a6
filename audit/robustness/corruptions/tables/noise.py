"""Numbers that were measured or noted inexactly."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS, Corruption
from audit.robustness.corruptions.numbers import natural, numeric_features, put
from audit.robustness.corruptions.row_draws import RowDraws

# Standard deviation, in units of change: a feature's range, or its scale.
_SIGMA = (0.02, 0.05, 0.1, 0.2, 0.3)


@CORRUPTIONS["tabular"].register
@dataclass(frozen=True)
class Noise(Corruption):
    """Add a Gaussian number to every number; what has bounds stays in them, and what is whole stays so."""

    def why_not(self) -> str:
        return "" if numeric_features(self.schema) else "no feature is a number"

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        corrupted = x.clone()
        for feature in numeric_features(self.schema):
            error = draws.normal(feature.name, ()).to(x) * (_SIGMA[severity - 1] * feature.span)
            put(self.schema, feature, corrupted, natural(self.schema, feature, x) + error)
        return corrupted
