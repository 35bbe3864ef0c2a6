"""Graph attention network (Velickovic et al., 2018, arXiv:1710.10903) on dense adjacency matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._observed import StandardizeObserved, WeightedSoftmax, pool
from classifier.errors import ConfigurationError
from classifier.schema import Schema


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class GraphAttention(Architecture):
    """Every node takes a weighted mean of its neighbours and itself, layer by layer; mean and maximum over the nodes decide.

    Each layer adds to what a node had before, and the nodes of all layers are read out (Xu et al., 2018,
    arXiv:1806.03536). An edge may be there in part, between 0 and 1: its attention is multiplied by it before the softmax is
    normalised. At 0 it is no edge, at 1 the network is the published one, and gradients in between tell what an
    edge does. The number of a node's edges is an input beside its features, since a mean cannot tell it.

    Args:
        hidden: Width of each layer, over all heads.
        heads: Attentions of each layer; they divide its width among them.
        dropout: Share of what is read out left out at each training step.
    """

    modalities: ClassVar[frozenset[str]] = frozenset({"graph"})

    hidden: tuple[int, ...] = (32, 32, 32)
    heads: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.heads < 1:
            raise ConfigurationError(f"heads must be at least 1, got {self.heads}")
        if not self.hidden or min(self.hidden) < 1 or any(width % self.heads for width in self.hidden):
            raise ConfigurationError(f"hidden must hold multiples of heads = {self.heads}, got {list(self.hidden)}")
        if not 0 <= self.dropout < 1:
            raise ConfigurationError(f"dropout must lie in [0, 1), got {self.dropout}")

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        return GraphAttentionNetwork(schema, outputs, self)


class GraphAttentionNetwork(nn.Module):
    """See `GraphAttention`."""

    def __init__(self, schema: Schema, outputs: int, options: GraphAttention) -> None:
        super().__init__()
        self.width = len(schema.columns)
        self.standardize = StandardizeObserved(schema)
        widths = [len(self.standardize.columns) + 1, *options.hidden]
        self.layers = nn.ModuleList(
            GraphAttentionLayer(before, width, options.heads) for before, width in zip(widths, options.hidden, strict=False)
        )
        self.around = nn.ModuleList(nn.Linear(before, width) for before, width in zip(widths, options.hidden, strict=False))
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(2 * sum(options.hidden), outputs)

    def forward(self, x: Tensor) -> Tensor:
        _, layers, here = self._run(x)
        return self.head(self.dropout(torch.cat([pool(values, here) for values in layers], dim=1)))

    def attention(self, x: Tensor) -> Tensor:
        """How much each node takes from each other ``(N, layers, heads, n, n)``; from the node of the column, to that of the row.

        A view of the internals: a node's vector in a deeper layer already holds what others gave it, so the
        weight of an edge is no measure of how much the edge decided (Jain and Wallace, 2019, arXiv:1902.10186).
        """
        weights, _, here = self._run(x)
        return torch.stack(weights, dim=1) * here[:, None, None, :, None]

    def _run(self, x: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """The attention ``(N, heads, n, n)`` and the nodes' vectors ``(N, n, C)`` of each layer, and which nodes are there ``(N, n)``."""
        nodes, adjacency = x[..., : self.width], x[..., self.width :]
        here = self.standardize.observed(nodes)
        adjacency = adjacency * here[:, :, None] * here[:, None, :]
        degree = adjacency.sum(2, keepdim=True).log1p()
        values = torch.cat([self.standardize(nodes), degree], dim=2)
        weights, layers = [], []
        for layer, around in zip(self.layers, self.around, strict=True):
            mixed, attention = layer(values, adjacency)
            values = (mixed + around(values)).relu()
            weights.append(attention)
            layers.append(values)
        return weights, layers, here


class GraphAttentionLayer(nn.Module):
    """Multi-head attention over neighbours and the node itself (equations 1 to 5 of the paper).

    Args:
        before: Width of a node's vector that comes in.
        width: Width that goes out, over all heads.
        heads: How many attentions; each gives ``width / heads`` columns.
    """

    def __init__(self, before: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear = nn.Linear(before, width, bias=False)
        self.source = nn.Parameter(torch.empty(heads, width // heads))
        self.target = nn.Parameter(torch.empty(heads, width // heads))
        self.bias = nn.Parameter(torch.zeros(width))
        self.weigh = WeightedSoftmax()
        for parameter in (self.linear.weight, self.source, self.target):
            nn.init.xavier_uniform_(parameter)

    def forward(self, values: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
        """New vectors ``(N, n, width)``, and the attention of each head ``(N, heads, n, n)``.

        Args:
            values: A vector a node ``(N, n, before)``.
            adjacency: The weight of each edge, from 0 to 1; row: where it ends, column: where it starts ``(N, n, n)``.
        """
        batch, nodes, _ = values.shape
        projected = self.linear(values).reshape(batch, nodes, self.heads, -1)
        starts = (projected * self.source).sum(3).permute(0, 2, 1)
        ends = (projected * self.target).sum(3).permute(0, 2, 1)
        scores = nn.functional.leaky_relu(ends[..., :, None] + starts[..., None, :], 0.2)
        itself = torch.eye(nodes, dtype=adjacency.dtype, device=adjacency.device)
        attention = self.weigh(scores, torch.maximum(adjacency, itself)[:, None])
        mixed = torch.einsum("bhij,bjhc->bihc", attention, projected)
        return mixed.reshape(batch, nodes, -1) + self.bias, attention
