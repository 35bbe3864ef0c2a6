"""Residual network (He et al., 2016, arXiv:1512.03385), small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._convolution import NARROWEST, check_options, convolution
from classifier.architectures._layers import Standardize
from classifier.errors import ConfigurationError
from classifier.schema import Schema


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class ResNet(Architecture):
    """Stages of residual blocks, the mean over the image, and one linear layer.

    Each stage but the first halves the image while it is at least 4 pixels wide and high.

    Args:
        channels: Width of each stage.
        blocks: Residual blocks in each stage.
        normalisation: ``"batch"``, or ``"group"`` and ``"none"``, which keep the rows of a batch apart, as
            private training needs.
        dropout: Share of units left out before the linear layer at each training step.
    """

    modalities: ClassVar[frozenset[str]] = frozenset({"image"})

    channels: tuple[int, ...] = (16, 32, 64)
    blocks: int = 1
    normalisation: str = "batch"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_options(self.channels, self.normalisation, self.dropout)
        if self.blocks < 1:
            raise ConfigurationError(f"blocks must be at least 1, got {self.blocks}")

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        inputs, height, width = schema.shape
        stem = convolution(inputs, self.channels[0], stride=1, normalisation=self.normalisation)
        layers: list[nn.Module] = [Standardize((inputs, 1, 1)), *stem, nn.ReLU()]
        inputs = self.channels[0]
        for stage, channels in enumerate(self.channels):
            for block in range(self.blocks):
                stride = 2 if stage and block == 0 and min(height, width) >= NARROWEST else 1
                layers.append(_Block(inputs, channels, stride, self.normalisation))
                inputs, height, width = channels, -(-height // stride), -(-width // stride)
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if self.dropout:
            layers.append(nn.Dropout(self.dropout))
        return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class _Block(nn.Module):
    """Two convolutions, added to what came in."""

    def __init__(self, inputs: int, outputs: int, stride: int, normalisation: str) -> None:
        super().__init__()
        last = convolution(outputs, outputs, stride=1, normalisation=normalisation)
        # Each block starts as the identity (Goyal et al., 2017, arXiv:1706.02677), so that it trains without normalisation too.
        for parameter in last[-1].parameters():
            nn.init.zeros_(parameter)
        self.branch = nn.Sequential(*convolution(inputs, outputs, stride=stride, normalisation=normalisation), nn.ReLU(), *last)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride) if inputs != outputs or stride > 1 else nn.Identity()
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.branch(x) + self.shortcut(x))
        return out
