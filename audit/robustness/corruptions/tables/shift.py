"""Numbers that have drifted since the classifier learned: each by as much, up or down."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS, Corruption
from audit.robustness.corruptions.numbers import natural, numeric_features, put
from audit.robustness.corruptions.row_draws import RowDraws

# In units of change: a feature's range, or its scale.
_SHIFT = (0.02, 0.05, 0.1, 0.2, 0.3)


@CORRUPTIONS["tabular"].register
@dataclass(frozen=True)
class Shift(Corruption):
    """Move every number up or down by a share of its unit; what has bounds stays in them.

    A drift moves all rows the same way, and nobody knows which. So each row draws its own way for each feature: the accuracy
    is then that of the mean over all ways that the features could drift, and an interval over rows is one over ways too.
    """

    def why_not(self) -> str:
        return "" if numeric_features(self.schema) else "no feature is a number"

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        corrupted = x.clone()
        for feature in numeric_features(self.schema):
            up = draws.uniform(feature.name, ()).to(x.device) < 0.5
            moved = torch.where(up, 1.0, -1.0).double() * (_SHIFT[severity - 1] * feature.span)
            put(self.schema, feature, corrupted, natural(self.schema, feature, x) + moved)
        return corrupted
