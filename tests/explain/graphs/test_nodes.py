"""Gradients of graphs: what elements, nodes and edges get where the output is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from explain import attribute
from explain.graph_edges import edges_of
from tests.explain.graphs.motifs import HOUSE, SCHEMA, WIDTH, plant, wrap


class ChargesAndEdges(nn.Module):
    """The log-odds are 3 for each unit of charge that an edge carries from node to node, and 1 for each edge."""

    def forward(self, x: Tensor) -> Tensor:
        charge, adjacency = x[..., 0], x[..., WIDTH:]
        return 3 * torch.einsum("bi,bij->b", charge, adjacency) + adjacency.sum((1, 2)) / 2


def test_saliency_is_the_size_of_the_gradient_by_every_element() -> None:
    x = plant(HOUSE).x
    attributions = attribute(wrap(ChargesAndEdges()), x, "saliency").attributions
    charge, degree = x[..., 0].double(), x[..., WIDTH:].sum(2).double()
    assert torch.allclose(attributions[..., 0], 3 * degree)
    assert (attributions[..., 1:WIDTH] == 0).all()
    assert torch.allclose(attributions[..., WIDTH:], (3 * charge[..., None] + 0.5).expand(-1, -1, x.shape[1]))


def test_integrated_gradients_share_an_edge_between_the_charge_and_the_edge() -> None:
    """From the empty graph, ``c a`` is half the charge's and half the edge's."""
    x = plant(HOUSE).x
    explanation = attribute(wrap(ChargesAndEdges()), x, "integrated_gradients", baseline=torch.zeros(SCHEMA.shape))
    charge, adjacency = x[..., 0].double(), x[..., WIDTH:].double()
    carried = 3 * charge[..., None] * adjacency
    assert torch.allclose(explanation.attributions[..., 0], carried.sum(2) / 2, atol=1e-4)
    assert torch.allclose(explanation.attributions[..., WIDTH:], carried / 2 + adjacency / 2, atol=1e-4)
    # A node gets its features and its own row of the matrix, in which its charge is; the other entry of an edge is the other node's.
    assert torch.allclose(explanation.by_feature(), carried.sum(2) + adjacency.sum(2) / 2, atol=1e-4)
    assert explanation.completeness_error.max() < 1e-3
    table = edges_of(explanation)
    assert table["attribution"].sum() == pytest.approx(float((carried / 2 + adjacency / 2).sum()), abs=1e-3)
