"""What is known of the nodes, measured inexactly."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS, Corruption
from audit.robustness.corruptions.numbers import natural, numeric_features, put
from audit.robustness.corruptions.row_draws import RowDraws
from classifier.modalities.graph import Graphs

# Standard deviation, in units of change: a feature's range, or its scale.
_SIGMA = (0.02, 0.05, 0.1, 0.2, 0.3)


@CORRUPTIONS["graph"].register
@dataclass(frozen=True)
class NodeNoise(Corruption):
    """Add a Gaussian number to every number of every node that is there; what has bounds stays in them."""

    def why_not(self) -> str:
        return "" if numeric_features(self.schema) else "no feature of the nodes is a number"

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        corrupted = x.clone()
        graphs = Graphs(self.schema)
        nodes, there = graphs.parts(corrupted)[0], graphs.present(x)
        for feature in numeric_features(self.schema):
            error = draws.normal(feature.name, (x.shape[1],)).to(x) * (_SIGMA[severity - 1] * feature.span)
            put(self.schema, feature, nodes, natural(self.schema, feature, nodes) + error * there)
        return corrupted
