"""FT-Transformer: attention over the features of a table (Gorishniy et al., 2021, arXiv:2106.11959)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._layers import Standardize
from classifier.errors import ConfigurationError
from classifier.schema import Schema


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class AttentionTable(Architecture):
    """A token for each feature and one that asks them all, through transformer blocks.

    Which feature looks at which is to be had from the network's ``attention(x)``. It says what was looked at and is
    no measure of what decided (Jain and Wallace, 2019, arXiv:1902.10186).

    Args:
        width: Numbers in a token.
        layers: Transformer blocks.
        heads: Attention heads a block; they divide the width.
        dropout: Share of attention weights and of hidden units left out at each training step.
    """

    width: int = 32
    layers: int = 2
    heads: int = 4
    dropout: float = 0.2

    def __post_init__(self) -> None:
        for name in ("width", "layers", "heads"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % self.heads:
            raise ConfigurationError(f"width must be a multiple of heads, got width {self.width} and heads {self.heads}")
        if not 0 <= self.dropout < 1:
            raise ConfigurationError(f"dropout must lie in [0, 1), got {self.dropout}")

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        return FeatureTransformer(self, schema, outputs)


class FeatureTransformer(nn.Module):
    """The network of :class:`AttentionTable`.

    Args:
        options: Its options.
        schema: What the inputs are.
        outputs: How many logits it gives.
    """

    def __init__(self, options: AttentionTable, schema: Schema, outputs: int) -> None:
        super().__init__()
        self.tokens = FeatureTokens(schema, options.width)
        self.blocks = nn.ModuleList(Block(options, first=index == 0) for index in range(options.layers))
        self.head = nn.Sequential(nn.LayerNorm(options.width), nn.ReLU(), nn.Linear(options.width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.tokens(x)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens[:, 0])

    def attention(self, x: Tensor) -> Tensor:
        """How much each token takes of each other.

        Args:
            x: Inputs ``(N, D)``.

        Returns:
            Weights ``(N, layers, heads, T, T)`` that sum to 1 over the last axis. Token 0 is the one that asks;
            the next ones are the features, in the schema's order.
        """
        tokens, weights = self.tokens(x), []
        for block in self.blocks:
            weights.append(cast("Block", block).weights(tokens))
            tokens = block(tokens)
        return torch.stack(weights, 1)


class FeatureTokens(nn.Module):
    """A token for each feature, after a learned one that asks (section 3.1).

    A number's token is its value times a vector, a category's is a vector of its own; both plus a vector of the
    feature. As a product with the one-hot columns it has gradients with respect to them.
    """

    def __init__(self, schema: Schema, width: int) -> None:
        super().__init__()
        numbers = [schema.groups[feature.name].start for feature in schema.features if feature.kind in ("continuous", "integer")]
        self.membership = [index for index, feature in enumerate(schema.features) for _ in range(feature.width)]
        self.standardize = Standardize(schema.shape, columns=numbers)
        self.values = nn.Parameter(torch.empty(len(schema.columns), width))
        self.features = nn.Parameter(torch.empty(len(schema.features), width))
        self.asking = nn.Parameter(torch.empty(width))
        for weights in (self.values, self.features, self.asking):
            nn.init.uniform_(weights, -(width**-0.5), width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens ``(N, 1 + F, width)`` of inputs ``(N, D)``."""
        membership = torch.tensor(self.membership, device=x.device)
        of_feature = (membership == torch.arange(len(self.features), device=x.device)[:, None]).to(x)
        own = (self.standardize(x)[:, None] * of_feature) @ self.values + self.features
        return torch.cat([self.asking.expand(len(x), 1, -1), own], 1)


class Block(nn.Module):
    """Attention and a gated layer, each on normalised tokens and added to them (pre-norm; the first attention's are not normalised)."""

    def __init__(self, options: AttentionTable, *, first: bool) -> None:
        super().__init__()
        width, inner = options.width, max(1, options.width * 4 // 3)
        self.heads, self.rate = options.heads, options.dropout
        self.before = nn.Identity() if first else nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.between = nn.LayerNorm(width)
        self.gate, self.value, self.last = nn.Linear(width, inner), nn.Linear(width, inner), nn.Linear(inner, width)
        self.drop = nn.Dropout(options.dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self._heads(tokens)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=self.rate if self.training else 0.0)
        tokens = tokens + self.join(mixed.transpose(1, 2).flatten(2))
        normal = self.between(tokens)
        return tokens + self.last(self.drop(self.value(normal) * self.gate(normal).relu()))

    def weights(self, tokens: Tensor) -> Tensor:
        """The attention weights ``(N, heads, T, T)`` that `forward` uses in evaluation."""
        query, key, _ = self._heads(tokens)
        return (query @ key.transpose(2, 3) / query.shape[-1] ** 0.5).softmax(-1)

    def _heads(self, tokens: Tensor) -> list[Tensor]:
        """Queries, keys and values, each ``(N, heads, T, width / heads)``."""
        parts = self.project(self.before(tokens)).chunk(3, -1)
        return [part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts]
