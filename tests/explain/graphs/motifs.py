"""Graphs with planted edges, and networks made by hand whose output hangs on these alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.modalities.graph import Graph
from classifier.schema import Feature, Schema

NODES = 14
SCHEMA = Schema(
    "graph",
    (
        Feature("charge", "continuous", 0.0, 1.0),
        Feature("kind", "categorical", categories=("C", "N", "O")),
        Feature("(observed)", "binary", mutable=False),
    ),
    size=(NODES,),
)
WIDTH = 5
TRIANGLE = ((0, 1), (1, 2), (0, 2))
# A square with a roof: the motif of BA-Shapes (Ying et al., 2019).
HOUSE = ((0, 1), (1, 2), (2, 3), (0, 3), (0, 4), (1, 4))


@dataclass(frozen=True)
class Hidden:
    """Random trees with a motif hung on by one edge.

    Args:
        x: The graphs ``(N, n, D + n)``.
        edges: Which edges are the motif's, above the diagonal ``(N, n, n)``, bool.
    """

    x: Tensor
    edges: Tensor


def plant(motif: tuple[tuple[int, int], ...], rows: int = 6) -> Hidden:
    """A motif on its first nodes, hung to a random tree on the others; node numbers are shuffled."""
    generator = np.random.default_rng(5)
    size = 1 + max(max(edge) for edge in motif)
    cells, planted = [], torch.zeros(rows, NODES, NODES, dtype=torch.bool)
    for row in range(rows):
        count = int(generator.integers(size + 5, NODES + 1))
        names = generator.permutation(count)
        # Each node of the tree hangs on one before it, so that there is no ring but the motif's.
        tree = [(node, int(generator.integers(size if node > size else 0, node))) for node in range(size, count)]
        edges = np.array([(names[i], names[j]) for i, j in [*motif, *tree]])
        nodes = pd.DataFrame({"charge": generator.random(count), "kind": generator.choice(["C", "N", "O"], count)})
        cells.append(Graph(nodes, edges))
        for i, j in edges[: len(motif)]:
            planted[row, min(i, j), max(i, j)] = True
    return Hidden(SCHEMA.encode(pd.DataFrame({"graph": pd.Series(cells, dtype=object)})), planted)


class Triangles(nn.Module):
    """The log-odds are 4 for each triangle, less 2: ``trace(A^3) / 6`` counts them."""

    def forward(self, x: Tensor) -> Tensor:
        adjacency = x[..., WIDTH:]
        return 4 * (adjacency @ adjacency @ adjacency).diagonal(dim1=1, dim2=2).sum(1) / 6 - 2


class Squares(nn.Module):
    """The log-odds are 4 for each ring of four, less 2: closed walks of four steps, less those that turn back."""

    def forward(self, x: Tensor) -> Tensor:
        adjacency = x[..., WIDTH:]
        square = adjacency @ adjacency
        degree = (adjacency * adjacency).sum(2)
        walks = (square * square).sum((1, 2))
        back = 2 * degree.square().sum(1) - (adjacency**4).sum((1, 2))
        return 4 * (walks - back) / 8 - 2


class WeightedEdges(nn.Module):
    """The log-odds are a weighted sum of the adjacency matrix, its two halves weighted differently."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(NODES, NODES, generator=torch.Generator().manual_seed(2)))

    @property
    def of_edges(self) -> Tensor:
        """What each edge adds, above the diagonal."""
        return (self.weight + self.weight.T).detach().triu(1)

    def forward(self, x: Tensor) -> Tensor:
        return (x[..., WIDTH:] * self.weight).sum((1, 2))


class Houses(nn.Module):
    """The log-odds are 4 for each square with each triangle, less 2: no edge of a house can be spared."""

    def forward(self, x: Tensor) -> Tensor:
        triangles, squares = (module(x) / 4 + 0.5 for module in (Triangles(), Squares()))
        return 4 * triangles * squares - 2


def wrap(module: nn.Module) -> Classifier:
    """A classifier of two classes from a network over these graphs."""
    return Classifier.wrap(module, schema=SCHEMA, classes=("without", "with"))
