"""The edges of graphs, as what an explanation gives credit to: found, taken apart, and laid over the adjacency matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.errors import NotApplicableError
from classifier.modalities.graph import Graphs
from classifier.modality import Modality
from explain.method import Task

if TYPE_CHECKING:
    from explain.explanation import Explanation

# An entry of the adjacency matrix below this is no edge.
_NONE = 1e-4


def graphs_of(modality: Modality) -> Graphs:
    """The modality, if it is that of graphs.

    Raises:
        NotApplicableError: If it is another.
    """
    if not isinstance(modality, Graphs):
        raise NotApplicableError(f"edges are those of graphs, and the inputs are {modality.schema.modality}", remedy="take by_feature()")
    return modality


def edges_there(modality: Graphs, x: Tensor) -> Tensor:
    """Which pairs of nodes are joined ``(N, n, n)``, bool, each edge once: above the diagonal."""
    adjacency = modality.parts(x)[1]
    here = modality.present(x)
    return ((adjacency + adjacency.mT > _NONE) & here[:, :, None] & here[:, None, :]).triu(1)


def require_edges(task: Task) -> Tensor:
    """The edges of each input, as in `edges_there`.

    Raises:
        NotApplicableError: If one of them has none.
    """
    there = edges_there(graphs_of(task.modality), task.x)
    bare = (~there.flatten(1).any(1)).nonzero()[:, 0].tolist()
    if bare:
        named = ", ".join(map(str, bare[:5])) + (", ..." if len(bare) > 5 else "")
        raise NotApplicableError(
            f"{len(bare)} of {len(there)} graphs have no edges to explain: row{'s' if len(bare) > 1 else ''} {named}",
            remedy="leave them out, or explain nodes, as exact_shapley, kernel_shap and feature_ablation do",
        )
    return there


def without_edges(modality: Graphs, x: Tensor, gone: Tensor) -> Tensor:
    """Graphs ``(N, n, D + n)`` with the edges scaled down in both directions.

    Args:
        modality: That of `x`.
        x: The graphs ``(N, n, D + n)``.
        gone: How much of each edge is taken out, from 0 to 1, above the diagonal ``(N, n, n)``.
    """
    nodes, adjacency = modality.parts(x)
    return torch.cat([nodes, adjacency * (1 - gone - gone.mT)], dim=2)


def lay_over_edges(modality: Graphs, x: Tensor, values: Tensor) -> Tensor:
    """Values of edges, half on each of their two entries, so that each node gets half and all sum to what they did.

    Args:
        modality: That of `x`.
        x: The graphs ``(N, n, D + n)``.
        values: One value an edge, above the diagonal ``(N, n, n)``.

    Returns:
        One value an element ``(N, n, D + n)``.
    """
    attributions = torch.zeros_like(x, dtype=values.dtype)
    modality.parts(attributions)[1].copy_((values + values.mT) / 2)
    return attributions


def edges_of(explanation: Explanation) -> pd.DataFrame:
    """One line for each row and edge: row, the two nodes by number from 0 and in words, attribution and standard error, of both entries.

    The numbers are those of ``Graph.edges``. A slope that has lost its sign (`saliency`) sums the sizes of two.

    Args:
        explanation: An explanation of graphs, by any method.

    Raises:
        NotApplicableError: If it is not of graphs.
    """
    modality = graphs_of(explanation.modality)
    row, one, other = edges_there(modality, explanation.inputs).nonzero().T

    def both(values: Tensor) -> NDArray[np.float64]:
        entries = modality.parts(values)[1]
        return (entries + entries.mT)[row, one, other].numpy()

    names = [node_names(modality, x) for x in explanation.inputs]
    return pd.DataFrame(
        {
            "row": row.numpy(),
            "node": one.numpy(),
            "other": other.numpy(),
            "edge": [f"{names[r][i]} – {names[r][j]}" for r, i, j in zip(row.tolist(), one.tolist(), other.tolist(), strict=True)],
            "attribution": both(explanation.attributions),
            "standard_error": float("nan") if explanation.element_error is None else both(explanation.element_error),
        }
    )


def node_names(modality: Graphs, x: Tensor) -> list[str]:
    """What each node of one graph ``(n, D + n)`` is, in words, such as its atom; the empty word where nothing is known or nobody there."""
    names = [""] * len(x)
    words = list(modality.words(x[None])[0].values())
    for place in modality.present(x[None])[0].nonzero()[:, 0].tolist():
        # The last part of a node's words is how many edges it has.
        names[place] = words[place].rpartition(", ")[0]
    return names
