"""Categories that were noted wrongly: another one than the true one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from audit.robustness.corruptions.corruption import CORRUPTIONS, Corruption
from audit.robustness.corruptions.row_draws import RowDraws

# Share of the values.
_WRONG = (0.05, 0.1, 0.2, 0.3, 0.5)


@CORRUPTIONS["tabular"].register
@dataclass(frozen=True)
class CategoryNoise(Corruption):
    """Swap some categories of each row for another, each of the others as likely, and one of two values for the other."""

    def why_not(self) -> str:
        return "" if any(feature.kind in ("categorical", "binary") for feature in self.schema.features) else "no feature is a category"

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        low, high = (bound.to(x) for bound in self.schema.column_bounds)
        corrupted = x.clone()
        for feature in self.schema.features:
            columns = self.schema.groups[feature.name]
            if feature.kind not in ("categorical", "binary"):
                continue
            wrong, which = draws.uniform(feature.name, (2,)).to(x.device).unbind(1)
            if feature.kind == "categorical":
                # From 1 to all but one further on, around the circle of the categories.
                further = 1 + (which * (feature.width - 1)).long()
                other = functional.one_hot((x[:, columns].argmax(1) + further) % feature.width, feature.width).to(x)
            else:
                other = low[columns] + high[columns] - x[:, columns]
            corrupted[:, columns] = torch.where((wrong < _WRONG[severity - 1])[:, None], other, x[:, columns])
        return corrupted
