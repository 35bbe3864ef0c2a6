"""Bidirectional LSTM (Hochreiter and Schmidhuber, 1997) with additive attention over time (Bahdanau et al., 2015, arXiv:1409.0473)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._observed import StandardizeObserved, weighted_softmax
from classifier.errors import ConfigurationError
from classifier.schema import Schema


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class AttentionRecurrent(Architecture):
    """Reads a series forwards and backwards, and decides by a weighted mean of what it knew at each step.

    Steps that were not observed are skipped: they change neither what is known at the others nor the decision.

    Args:
        hidden: Width of each layer, in each direction.
        dropout: Share of a layer's outputs left out at each training step.
    """

    modalities: ClassVar[frozenset[str]] = frozenset({"sequence"})

    hidden: tuple[int, ...] = (32,)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ConfigurationError(f"hidden must hold widths of at least 1, got {list(self.hidden)}")
        if not 0 <= self.dropout < 1:
            raise ConfigurationError(f"dropout must lie in [0, 1), got {self.dropout}")

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        return AttentionRecurrentNetwork(schema, outputs, self.hidden, self.dropout)


class AttentionRecurrentNetwork(nn.Module):
    """See `AttentionRecurrent`."""

    def __init__(self, schema: Schema, outputs: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.standardize = StandardizeObserved(schema)
        widths = [len(self.standardize.columns), *(2 * width for width in hidden)]
        pairs = list(zip(widths, hidden, strict=False))
        self.forwards = nn.ModuleList(nn.LSTM(before, width, batch_first=True) for before, width in pairs)
        self.backwards = nn.ModuleList(nn.LSTM(before, width, batch_first=True) for before, width in pairs)
        for layer in (*self.forwards, *self.backwards):
            # What is known is kept until something is learned that says otherwise (Gers et al., 2000).
            nn.init.ones_(layer.bias_ih_l0[layer.hidden_size : 2 * layer.hidden_size])
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Sequential(nn.Linear(widths[-1], hidden[-1]), nn.Tanh(), nn.Linear(hidden[-1], 1, bias=False))
        self.head = nn.Linear(widths[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        states, weights, _ = self._read(x)
        return self.head(self.dropout((weights[..., None] * states).sum(1)))

    def attention(self, x: Tensor) -> Tensor:
        """How much each step weighs in the mean that is decided by ``(N, T)``; of each series they sum to 1.

        A view of the internals: what is known at a step comes from all steps, so the weight of a step is no
        measure of how much its value decided (Jain and Wallace, 2019, arXiv:1902.10186).
        """
        _, weights, order = self._read(x)
        return torch.zeros_like(weights).scatter(1, order, weights)

    def _read(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States ``(N, T, 2 H)`` and attention ``(N, T)``, the observed steps first, and the step that each is of ``(N, T)``."""
        here = self.standardize.observed(x)
        there = here > 0.5
        order = (~there).byte().argsort(dim=1, stable=True)
        states = _taken(self.standardize(x), order)
        steps = torch.arange(x.shape[1], device=x.device)
        # Each series is turned around within its own length, so that what fills it up is read last in both directions.
        length = there.sum(1, keepdim=True)
        turned = torch.where(steps < length, length - 1 - steps, steps)
        # The GPU's own LSTM gives gradients to a training network only, and attacks and explanations need them of a trained one.
        with torch.backends.cudnn.flags(enabled=self.training):
            for ahead, back in zip(self.forwards, self.backwards, strict=True):
                both = (ahead(states)[0], _taken(back(_taken(states, turned))[0], turned))
                states = self.dropout(torch.cat(both, dim=2))
        return states, weighted_softmax(self.score(states)[..., 0], here.gather(1, order)), order


def _taken(values: Tensor, index: Tensor) -> Tensor:
    """The steps of `index` ``(N, T)`` from ``(N, T, C)``."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))
