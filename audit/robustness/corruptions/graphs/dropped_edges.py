"""Edges that nobody recorded."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS, Corruption
from audit.robustness.corruptions.row_draws import RowDraws
from classifier.modalities.graph import Graphs

# Share of the edges.
_DROPPED = (0.05, 0.1, 0.2, 0.3, 0.5)


@CORRUPTIONS["graph"].register
@dataclass(frozen=True)
class DroppedEdges(Corruption):
    """Take some edges of each graph away; the nodes stay."""

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        corrupted = x.clone()
        _, adjacency = Graphs(self.schema).parts(corrupted)
        extent = x.shape[1]
        # One draw for both directions of an edge.
        above = (draws.uniform("dropped", (extent, extent)).to(x.device) < _DROPPED[severity - 1]).triu(1)
        adjacency.masked_fill_(above | above.mT, 0.0)
        return corrupted
