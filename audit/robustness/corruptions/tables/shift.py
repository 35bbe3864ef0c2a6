"""Numbers that have drifted since the classifier learned: all rows of a feature by as much, the same way."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS, Corruption
from audit.robustness.corruptions.numbers import natural, numeric_features, put
from audit.robustness.corruptions.row_draws import RowDraws

# In units of change: a feature's range, or its scale.
_SHIFT = (0.02, 0.05, 0.1, 0.2, 0.3)


@CORRUPTIONS["tabular"].register
@dataclass(frozen=True)
class Shift(Corruption):
    """Move every number of a feature up, or of another feature down; what has bounds stays in them.

    Which way a feature moves is drawn once for all rows, since a drift is of the marginal distribution: rows do not differ
    in it, and the interval over rows says nothing of another direction.
    """

    def why_not(self) -> str:
        return "" if numeric_features(self.schema) else "no feature is a number"

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        corrupted = x.clone()
        for feature in numeric_features(self.schema):
            way = 1.0 if float(draws.common(feature.name, ())) < 0.5 else -1.0
            put(self.schema, feature, corrupted, natural(self.schema, feature, x) + way * _SHIFT[severity - 1] * feature.span)
        return corrupted
