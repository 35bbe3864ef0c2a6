"""Temporal convolutional network: residual blocks of ever wider dilated convolutions (Bai et al., 2018, arXiv:1803.01271)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._observed import StandardizeObserved, pool
from classifier.errors import ConfigurationError
from classifier.schema import Schema


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class TemporalCNN(Architecture):
    """Convolutions over time, each block with twice the dilation of the one before, then mean and maximum over the steps.

    Looks ahead as well as back, since the whole series is known when it is classified. Normalises each step on
    its own (layer normalisation), so that neither other cases nor steps that were not observed have a say.

    Args:
        hidden: Channels of each block.
        kernel: Steps that a convolution sees, odd.
        dropout: Share of what a block's first convolution gives left out at each training step.
    """

    modalities: ClassVar[frozenset[str]] = frozenset({"sequence"})

    hidden: tuple[int, ...] = (32, 32, 32, 32)
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
        return _Network(schema, outputs, self)


class _Network(nn.Module):
    def __init__(self, schema: Schema, outputs: int, options: TemporalCNN) -> None:
        super().__init__()
        self.standardize = StandardizeObserved(schema)
        widths = [len(self.standardize.columns), *options.hidden]
        self.blocks = nn.ModuleList(
            _Block(before, width, options.kernel, 2**index, options.dropout)
            for index, (before, width) in enumerate(zip(widths, options.hidden, strict=False))
        )
        self.head = nn.Linear(2 * widths[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        here = self.standardize.observed(x)
        values = self.standardize(x)
        for block in self.blocks:
            values = block(values, here[..., None])
        return self.head(pool(values, here))


class _Block(nn.Module):
    """Two convolutions and a way around them; from ``(N, T, C)`` to ``(N, T, C')``."""

    def __init__(self, before: int, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        reach = dilation * (kernel - 1) // 2
        self.first = nn.Conv1d(before, width, kernel, padding=reach, dilation=dilation)
        self.second = nn.Conv1d(width, width, kernel, padding=reach, dilation=dilation)
        self.normal = nn.ModuleList((nn.LayerNorm(width), nn.LayerNorm(width)))
        self.around = nn.Identity() if before == width else nn.Linear(before, width)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, here: Tensor) -> Tensor:
        # What is not observed is 0 before every convolution, as is what lies before the first step and after the last.
        inner = self.dropout(self.activation(self.normal[0](self._convolved(self.first, values * here))))
        inner = self.normal[1](self._convolved(self.second, inner * here))
        return self.activation(inner + self.around(values))

    @staticmethod
    def _convolved(convolution: nn.Module, values: Tensor) -> Tensor:
        return convolution(values.transpose(1, 2)).transpose(1, 2)
