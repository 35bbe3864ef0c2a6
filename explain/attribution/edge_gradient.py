"""Edge gradient: how steeply the output changes with the presence of each edge (Baldassarre & Azizpour, 2019, arXiv:1905.13686)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from classifier.seeds import Seed
from explain.gradients.continuum import Continuum
from explain.graph_edges import graphs_of, lay_over_edges, require_edges
from explain.method import METHODS, Law, Method, Need, Quantity, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class EdgeGradient(Method):
    """The gradient by both entries of each edge that is there, since an edge comes and goes in both at once.

    A positive slope says that a little less of the edge would lower the output. It holds at the whole edge, and need not
    lead to what happens without it; `edge_occlusion` tells that.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})
    modalities: ClassVar[frozenset[str]] = frozenset({"graph"})
    quantity: ClassVar[Quantity] = "slope"
    laws: ClassVar[frozenset[Law]] = frozenset({"dummy", "symmetry", "linearity"})

    def __call__(self, task: Task, seed: Seed) -> Scores:
        modality, there = graphs_of(task.modality), require_edges(task)
        space = Continuum(task)
        rows = torch.arange(len(task.x), device=task.x.device)
        slopes = modality.parts(torch.cat([space.gradient(space.points[some], some) for some in torch.split(rows, space.size)]))[1]
        return Scores(lay_over_edges(modality, task.x, (slopes + slopes.mT) * there), exact=True)
