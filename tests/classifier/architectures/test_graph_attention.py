"""The graph network: its layer against PyTorch Geometric's, and what must leave its logits as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from classifier import Dataset, Feature, Schema, Splits
from classifier.architectures._observed import weighted_softmax
from classifier.architectures.graph_attention import GraphAttention, GraphAttentionLayer, GraphAttentionNetwork
from classifier.errors import ConfigurationError
from trainer import Recipe, train

FEATURES = (
    Feature("charge", "continuous", low=0.0, high=1.0),
    Feature("atom", "categorical", categories=("C", "N", "O")),
    Feature("(observed)", "binary", mutable=False),
)
WIDTH = 5


def network(nodes: int) -> GraphAttentionNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = GraphAttention(hidden=(8, 8), heads=2).build(Schema("graph", FEATURES, size=(nodes,)), 3)
    assert isinstance(module, GraphAttentionNetwork)
    return module.eval()


def graphs(nodes: int, counts: tuple[int, ...]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.zeros(len(counts), nodes, WIDTH + nodes)
    for row, count in zip(x, counts, strict=True):
        row[:count, 0] = torch.rand(count, generator=generator)
        row[:count, 1:4] = torch.eye(3)[torch.randint(3, (count,), generator=generator)]
        row[:count, 4] = 1
        upper = (torch.rand(count, count, generator=generator) < 0.5).triu(1).float()
        row[:count, WIDTH : WIDTH + count] = upper + upper.T
    return x


def edges(adjacency: torch.Tensor) -> torch.Tensor:
    """Edges as PyTorch Geometric wants them: from the node of the column to that of the row."""
    return adjacency.nonzero().T.flip(0)


def test_the_layer_is_that_of_pytorch_geometric() -> None:
    outside = pytest.importorskip("torch_geometric.nn").GATConv(3, 4, heads=2)
    layer = GraphAttentionLayer(3, 8, 2)
    with torch.no_grad():
        layer.linear.weight.copy_(outside.lin.weight)
        layer.source.copy_(outside.att_src[0])
        layer.target.copy_(outside.att_dst[0])
        layer.bias.copy_(torch.linspace(-1, 1, 8))
        outside.bias.copy_(layer.bias)
    generator = torch.Generator().manual_seed(0)
    # With edges of one direction too, so that rows and columns cannot be confused.
    adjacency = (torch.rand(6, 6, generator=generator) < 0.4).float().fill_diagonal_(0)
    values = torch.randn(6, 3, generator=generator)
    found, attention = layer(values[None], adjacency[None])
    wanted, (pairs, weights) = outside(values, edges(adjacency), return_attention_weights=True)
    assert torch.allclose(found[0], wanted, atol=1e-5)
    assert torch.allclose(attention[0, :, pairs[1], pairs[0]].T, weights, atol=1e-6)


def test_the_order_of_the_nodes_changes_no_logit() -> None:
    x, order = graphs(7, (7, 5, 2)), torch.tensor([3, 0, 6, 1, 5, 2, 4])
    mixed = torch.cat([x[:, order, :WIDTH], x[:, order][:, :, WIDTH + order]], dim=2)
    assert torch.allclose(network(7)(mixed), network(7)(x), atol=1e-5)


def test_room_for_more_nodes_changes_no_logit() -> None:
    x = graphs(7, (7, 5, 1))
    larger = torch.zeros(3, 10, WIDTH + 10)
    larger[:, :7, : WIDTH + 7] = x
    small, large = network(7), network(10)
    large.load_state_dict(small.state_dict())
    assert torch.allclose(large(larger), small(x), atol=1e-5)


def test_what_is_said_of_nodes_that_are_not_there_changes_no_logit() -> None:
    x = graphs(7, (5, 2))
    other = x.clone()
    other[0, 6, :4] = 1.0
    other[1, 3, WIDTH] = other[1, 0, WIDTH + 3] = 1.0
    assert torch.allclose(network(7)(other), network(7)(x), atol=1e-6)


def test_an_edge_fades_without_a_jump() -> None:
    """At weight 0 it is no edge and at 1 a whole one, in the logits and in their gradient."""
    x = graphs(6, (6,))
    x[0, 0, WIDTH + 1] = x[0, 1, WIDTH] = 0
    module = network(6)

    def logits(weight: float) -> torch.Tensor:
        faded = x.clone()
        faded[0, 0, WIDTH + 1] = faded[0, 1, WIDTH] = weight
        return module(faded)

    assert torch.allclose(logits(1e-5), logits(0.0), atol=1e-3)
    assert torch.allclose(logits(1 - 1e-5), logits(1.0), atol=1e-3)
    assert not torch.allclose(logits(0.0), logits(1.0), atol=1e-3)
    x.requires_grad_()
    (slope,) = torch.autograd.grad(module(x)[0, 1], x)
    assert slope.isfinite().all()
    assert slope[0, 0, WIDTH + 1] != 0


@pytest.mark.parametrize("weight", [[1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.5, 0.25, 0.25]])
def test_a_softmax_counts_each_score_by_its_weight(weight: list[float]) -> None:
    scores, weights = torch.tensor([0.5, 90.0, -1.0]), torch.tensor(weight)
    wanted = (scores.double() - 90).exp() * weights
    assert torch.allclose(weighted_softmax(scores, weights).double(), wanted / wanted.sum(), atol=1e-6)
    assert weighted_softmax(scores, torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]


def test_attention_sums_to_one_over_a_node_and_its_neighbours() -> None:
    x = graphs(7, (7, 5, 1))
    attention = network(7).attention(x)
    assert attention.shape == (3, 2, 2, 7, 7)
    there = x[..., 4]
    assert torch.allclose(attention.sum(4), there[:, None, None].expand(3, 2, 2, 7))
    near = (x[..., WIDTH:] + torch.eye(7)) > 0
    assert (attention[~near[:, None, None].expand_as(attention)] == 0).all()


def test_an_empty_graph_has_the_logits_that_its_bias_gives() -> None:
    module = network(6)
    assert torch.allclose(module(torch.zeros(1, 6, WIDTH + 6))[0], module.head.bias)


def test_numbers_are_standardized_and_categories_are_not() -> None:
    x, module = graphs(7, (7, 5, 2)), network(7)
    module.standardize.fit(x)
    charges = x[..., 0][x[..., 4] == 1]
    assert module.standardize.mean.tolist() == pytest.approx([charges.mean().item(), 0, 0, 0])
    assert module.standardize.deviation.tolist() == pytest.approx([charges.std(correction=0).item(), 1, 1, 1])


def test_widths_that_the_heads_cannot_divide_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"hidden must hold multiples of heads = 4, got \[6\]"):
        GraphAttention(hidden=(6,))


@pytest.mark.slow
def test_it_learns_mutag(mutag: Path) -> None:
    """Cross-validated; the more frequent class is .66 of the graphs."""
    data = Dataset.read(mutag, target="label", modality="graph", event="1")
    fold = data.folds(10, seed=0)
    right = []
    for index in range(10):
        rest, held = data[fold != index], data[fold == index]
        recipe = Recipe("graph_attention", epochs=60, learning_rate=5e-3, batch_size=32, class_weights="none", patience=None)
        classifier = train(Splits(rest, rest, held), recipe, progress=False)
        right += (classifier.predict(held.inputs) == held.labels).tolist()
    assert np.mean(right) >= 0.8, np.mean(right)
