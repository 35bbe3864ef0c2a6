"""Bidirectional LSTM (Hochreiter and Schmidhuber, 1997) with additive attention over time (Bahdanau et al., 2015, arXiv:1409.0473)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._observed import StandardizeObserved, WeightedSoftmax
from classifier.errors import ConfigurationError
from classifier.schema import Schema


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class AttentionRecurrent(Architecture):
    """Reads a series forwards and backwards, and decides by a weighted mean and the maximum of what it knew and read at each step.

    What is read at a step is a convolution over it and its neighbours, so that the recurrence need not learn slopes and
    edges by itself (Sainath et al., 2015, doi:10.1109/ICASSP.2015.7178838). Steps that were not observed are
    skipped: they change neither what is known at the others nor the decision.

    Args:
        hidden: Width of each layer, in each direction.
        kernel: Steps that the convolution sees, odd; 1 reads each step by itself.
        dropout: Share of a layer's outputs left out at each training step.
    """

    modalities: ClassVar[frozenset[str]] = frozenset({"sequence"})

    hidden: tuple[int, ...] = (32,)
    kernel: int = 7
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ConfigurationError(f"hidden must hold widths of at least 1, got {list(self.hidden)}")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ConfigurationError(f"kernel must be odd and at least 1, got {self.kernel}")
        if not 0 <= self.dropout < 1:
            raise ConfigurationError(f"dropout must lie in [0, 1), got {self.dropout}")

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        return AttentionRecurrentNetwork(schema, outputs, self)


class AttentionRecurrentNetwork(nn.Module):
    """See `AttentionRecurrent`."""

    def __init__(self, schema: Schema, outputs: int, options: AttentionRecurrent) -> None:
        super().__init__()
        hidden = options.hidden
        self.standardize = StandardizeObserved(schema)
        self.around = nn.Conv1d(len(self.standardize.columns), hidden[0], options.kernel, padding=options.kernel // 2)
        widths = [hidden[0], *(2 * width for width in hidden)]
        pairs = list(zip(widths, hidden, strict=False))
        self.forwards = nn.ModuleList(nn.LSTM(before, width, batch_first=True) for before, width in pairs)
        self.backwards = nn.ModuleList(nn.LSTM(before, width, batch_first=True) for before, width in pairs)
        for layer in (*self.forwards, *self.backwards):
            # What is known is kept until something is learned that says otherwise (Gers et al., 2000).
            nn.init.ones_(layer.bias_ih_l0[layer.hidden_size : 2 * layer.hidden_size])
        self.dropout = nn.Dropout(options.dropout)
        width = widths[-1] + hidden[0]
        self.normal = nn.ModuleList((nn.LayerNorm(hidden[0]), nn.LayerNorm(width)))
        self.score = nn.Sequential(nn.Linear(width, hidden[-1]), nn.Tanh(), nn.Linear(hidden[-1], 1, bias=False))
        self.weigh = WeightedSoftmax()
        self.head = nn.Linear(2 * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        known, weights, order = self._read(x)
        here = self.standardize.observed(x).gather(1, order)
        mean, highest = (weights[..., None] * known).sum(1), (here[..., None] * known.relu()).amax(1)
        return self.head(self.dropout(torch.cat([mean, highest], dim=1)))

    def attention(self, x: Tensor) -> Tensor:
        """How much each step weighs in the mean ``(N, T)``; of each series they sum to 1.

        A view of the internals: what is known at a step comes from all steps, and the maximum decides too, so the weight
        of a step is no measure of how much its value decided (Jain and Wallace, 2019, arXiv:1902.10186).
        """
        _, weights, order = self._read(x)
        return torch.zeros_like(weights).scatter(1, order, weights)

    def _read(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is known ``(N, T, C)`` and attention ``(N, T)``, the observed steps first, and the step that each is of ``(N, T)``."""
        here = self.standardize.observed(x)
        there = here > 0.5
        order = (~there).byte().argsort(dim=1, stable=True)
        # Beyond the last observed step, what goes into the convolution is 0.
        columns = _taken(self.standardize(x), order)
        read = states = self.normal[0](self.around(columns.transpose(1, 2)).transpose(1, 2)).relu()
        steps = torch.arange(x.shape[1], device=x.device)
        # Each series is turned around within its own length, so that what fills it up is read last in both directions.
        length = there.sum(1, keepdim=True)
        turned = torch.where(steps < length, length - 1 - steps, steps)
        # The GPU's own LSTM gives gradients to a training network only, and attacks and explanations need them of a trained one.
        with torch.backends.cudnn.flags(enabled=self.training):
            for ahead, back in zip(self.forwards, self.backwards, strict=True):
                both = (ahead(states)[0], _taken(back(_taken(states, turned))[0], turned))
                states = self.dropout(torch.cat(both, dim=2))
        known = self.normal[1](torch.cat([states, read], dim=2))
        return known, self.weigh(self.score(known)[..., 0], here.gather(1, order)), order


def _taken(values: Tensor, index: Tensor) -> Tensor:
    """The steps of `index` ``(N, T)`` from ``(N, T, C)``."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))
