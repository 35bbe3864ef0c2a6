"""Numbers in another unit than the classifier learned: a decimal point misplaced, grams for kilograms."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS, Corruption
from audit.robustness.corruptions.numbers import natural, numeric_features, put
from audit.robustness.corruptions.row_draws import RowDraws

# The power of ten, and how many features of a row have it.
_ERRORS = ((1, 1), (2, 1), (3, 1), (3, 2), (3, 3))


@CORRUPTIONS["tabular"].register
@dataclass(frozen=True)
class UnitErrors(Corruption):
    """Multiply some numbers of each row, or divide them, by a power of ten.

    What comes of it may lie far outside the bounds. It is passed on as it is and counted, since a classifier in service
    would be given it too.
    """

    def why_not(self) -> str:
        return "" if numeric_features(self.schema) else "no feature is a number"

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        features = numeric_features(self.schema)
        power, count = _ERRORS[severity - 1]
        # The features whose draws are least have the error.
        rank = draws.uniform("which", (len(features),)).to(x.device).argsort(1).argsort(1)
        larger = draws.uniform("larger", (len(features),)).to(x.device) < 0.5
        corrupted = x.clone()
        for index, feature in enumerate(features):
            value = natural(self.schema, feature, x)
            wrong = torch.where(larger[:, index], value * 10.0**power, value / 10.0**power)
            put(self.schema, feature, corrupted, torch.where(rank[:, index] < count, wrong, value), inside=False)
        return corrupted
