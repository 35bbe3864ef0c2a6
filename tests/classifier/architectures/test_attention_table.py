"""Attention over the features of a table: its blocks are torch's attention, and its weights are to be had."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from classifier import Schema
from classifier.architectures.attention_table import AttentionTable, Block, FeatureTransformer
from classifier.errors import ConfigurationError

OPTIONS = AttentionTable(width=12, layers=3, heads=2)


@pytest.fixture
def network(mixed_schema: Schema) -> FeatureTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = OPTIONS.build(mixed_schema, 2).double().eval()
    assert isinstance(module, FeatureTransformer)
    return module


@pytest.fixture
def x() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(6, 8, generator=generator, dtype=torch.float64)
    x[:, 4:] = torch.eye(4, dtype=torch.float64)[torch.randint(4, (6,), generator=generator)]
    return x


def test_a_numbers_token_is_its_value_times_a_vector_and_a_categorys_a_vector_of_its_own(network: FeatureTransformer, x: Tensor) -> None:
    layer = network.tokens
    layer.standardize.fit(x)
    tokens = layer(x)
    assert tokens.shape == (6, 6, 12)
    assert torch.equal(tokens[:, 0], layer.asking.expand(6, -1))
    months = (x[:, 1:2] - x[:, 1].mean()) / x[:, 1].std(correction=0)
    assert torch.allclose(tokens[:, 2], months * layer.values[1] + layer.features[1])
    assert torch.allclose(tokens[:, 5], layer.values[4 + x[:, 4:].argmax(1)] + layer.features[4])


@pytest.mark.parametrize("first", [True, False])
def test_a_block_is_torchs_attention_and_a_gated_layer(first: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        block = Block(OPTIONS, first=first).double().eval()
        tokens = torch.randn(5, 6, 12, dtype=torch.float64)
    theirs = nn.MultiheadAttention(12, 2, batch_first=True, dtype=torch.float64)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = block.project.weight, block.project.bias
    theirs.out_proj.load_state_dict(block.join.state_dict())
    normal = block.before(tokens)
    assert torch.equal(normal, tokens) == first
    mixed, weights = theirs(normal, normal, normal, average_attn_weights=False)
    assert torch.allclose(block.weights(tokens), weights, atol=1e-12)
    added = tokens + mixed
    between = block.between(added)
    assert torch.allclose(block(tokens), added + block.last(block.value(between) * block.gate(between).relu()), atol=1e-12)


def test_attention_is_to_be_had_of_every_layer_and_head(network: FeatureTransformer, x: Tensor) -> None:
    weights = network.attention(x)
    assert weights.shape == (6, 3, 2, 6, 6)
    assert torch.allclose(weights.sum(-1), torch.ones(6, 3, 2, 6, dtype=torch.float64))
    assert weights.min() >= 0
    first = network.blocks[0]
    assert isinstance(first, Block)
    assert torch.equal(weights[:, 0], first.weights(network.tokens(x)))
    second = network.blocks[1]
    assert isinstance(second, Block)
    assert torch.equal(weights[:, 1], second.weights(first(network.tokens(x))))


def test_every_feature_reaches_the_logits(network: FeatureTransformer, x: Tensor, mixed_schema: Schema) -> None:
    for group in mixed_schema.groups.values():
        moved = x.clone()
        moved[:, group] = 1 - moved[:, group]
        assert (network(moved) - network(x)).abs().max() > 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"width": 30, "heads": 4}, "width must be a multiple of heads, got width 30 and heads 4"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AttentionTable(**options)  # type: ignore[arg-type]
