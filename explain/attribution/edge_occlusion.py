"""Edge occlusion: what the output loses without one edge of a graph (fidelity+ of Yuan et al., 2022, arXiv:2012.15445, edge by edge)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from classifier.chunks import chunk_size
from classifier.seeds import Seed
from explain.graph_edges import graphs_of, lay_over_edges, require_edges, without_edges
from explain.method import METHODS, Method, Quantity, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class EdgeOcclusion(Method):
    """Take out each edge alone, in both directions: ``f(x) - f(x without the edge)``. Its nodes stay.

    Where two edges can stand in for each other, neither has an effect alone. The baseline plays no part: an edge
    that is taken out is no edge.
    """

    modalities: ClassVar[frozenset[str]] = frozenset({"graph"})
    quantity: ClassVar[Quantity] = "effect"

    def __call__(self, task: Task, seed: Seed) -> Scores:
        modality, there = graphs_of(task.modality), require_edges(task)
        whole = task.output(task.x, task.target).double()
        values = torch.zeros(there.shape, dtype=torch.float64, device=task.x.device)
        for edges in torch.split(there.nonzero(), chunk_size(tuple(task.x.shape[1:]))):
            row, one, other = edges.T
            gone = torch.zeros(len(edges), *there.shape[1:], device=task.x.device)
            gone[torch.arange(len(edges), device=task.x.device), one, other] = 1
            rest = task.output(without_edges(modality, task.x[row], gone), task.target[row]).double()
            values[row, one, other] = whole[row] - rest
        return Scores(lay_over_edges(modality, task.x, values), exact=True)
