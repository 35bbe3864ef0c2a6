"""Values that nobody gave, and what stands for them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS, Corruption
from audit.robustness.corruptions.numbers import put
from audit.robustness.corruptions.row_draws import RowDraws
from classifier.schema import Feature

# Share of the values.
_MISSING = (0.05, 0.1, 0.2, 0.3, 0.5)


@CORRUPTIONS["tabular"].register
@dataclass(frozen=True)
class MissingValues(Corruption):
    """Replace some values of each row by what the schema fills gaps with, else by what is typical.

    Typical is the median of a number, of those that occur, and the commonest of the categories.
    """

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        features = self.schema.features
        missing = draws.uniform("missing", (len(features),)).to(x.device) < _MISSING[severity - 1]
        corrupted = x.clone()
        for index, feature in enumerate(features):
            columns = self.schema.groups[feature.name]
            corrupted[:, columns] = torch.where(missing[:, index, None], self._replacement(feature).to(x), x[:, columns])
        return corrupted

    def _replacement(self, feature: Feature) -> Tensor:
        """What stands for a missing value of a feature, encoded ``(width,)``."""
        columns = self.schema.groups[feature.name]
        if feature.fill is None:
            if feature.kind == "categorical":
                commonest = int(torch.bincount(self.reference[:, columns].argmax(1)).argmax())
                return torch.eye(feature.width)[commonest]
            return self.reference[:, columns].median(0).values
        if not feature.categories:
            row = torch.zeros(len(self.schema.columns))
            put(self.schema, feature, row, torch.tensor(float(feature.fill), dtype=torch.float64))
            return row[columns]
        place = feature.categories.index(str(feature.fill))
        return torch.eye(feature.width)[place] if feature.kind == "categorical" else torch.tensor([float(place)])
