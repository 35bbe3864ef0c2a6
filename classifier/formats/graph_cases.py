"""A graph as a case, and the table that several make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError

GRAPH, LABEL, NODE_LABEL = "graph", "label", "node label"


@dataclass(frozen=True, eq=False)
class Graph:
    """One case: nodes, and which of them are joined. An edge has no direction.

    Args:
        nodes: What is known of each node, one row a node; it may have no columns.
        edges: The two nodes of each edge, numbered from 0 ``(E, 2)``.
        unused: What else was given and is no input, ``"edge labels"``.
    """

    nodes: pd.DataFrame
    edges: NDArray[np.int64]
    unused: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        edges = self.edges
        if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
            raise DataError(f"the edges of a graph must be whole numbers (edges, 2), got {edges.shape} of {edges.dtype}")
        if len(self.nodes) == 0:
            raise DataError("a graph needs at least one node", remedy="leave the graph out")
        if len(edges) and not (edges.min() >= 0 and edges.max() < len(self.nodes)):
            raise DataError(
                f"an edge names the node {edges.max() if edges.min() >= 0 else edges.min()}, and there are {len(self.nodes)} nodes, from 0"
            )


def graphs_table(graphs: Sequence[Graph], columns: Mapping[Any, Any]) -> pd.DataFrame:
    """A table with a column of graphs, and what else is known of each."""
    cells = np.empty(len(graphs), dtype=object)
    cells[:] = graphs
    return pd.DataFrame({GRAPH: pd.Series(cells, dtype=object), **columns})


def cut_graphs(nodes: pd.DataFrame, graph_of: NDArray[np.int64], edges: NDArray[np.int64], unused: tuple[str, ...]) -> list[Graph]:
    """Take a table of the nodes of all graphs apart.

    Args:
        nodes: The nodes, those of a graph one below the other.
        graph_of: The graph of each node, from 0 in their order; each graph has one at least ``(nodes,)``.
        edges: Two nodes of one graph each, numbered from 0 over all graphs ``(edges, 2)``.
        unused: See `Graph`.
    """
    ends = np.arange(graph_of[-1] + 2)
    first = np.searchsorted(graph_of, ends)
    edges = edges[np.argsort(graph_of[edges[:, 0]], kind="stable")]
    cut = np.searchsorted(graph_of[edges[:, 0]], ends)
    return [
        Graph(nodes.iloc[first[g] : first[g + 1]].reset_index(drop=True), edges[cut[g] : cut[g + 1]] - first[g], unused) for g in ends[:-1]
    ]
