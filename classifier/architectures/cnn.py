"""Convolutional network: convolutions that halve the image, then linear layers (LeCun et al., 1998)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._convolution import NARROWEST, check_options, convolution
from classifier.architectures._layers import Standardize
from classifier.errors import ConfigurationError
from classifier.schema import Schema


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class CNN(Architecture):
    """A small network for images of any size.

    Each stage is two convolutions, of which the second halves the image while it is at least 4 pixels wide
    and high. There is no pooling, so that every layer but the activations is linear once trained.

    Args:
        channels: Width of each stage; give large images more stages.
        hidden: Width of each linear layer after them.
        normalisation: ``"batch"``, or ``"group"`` and ``"none"``, which keep the rows of a batch apart, as
            private training needs.
        dropout: Share of units left out before each linear layer at each training step.
    """

    modalities: ClassVar[frozenset[str]] = frozenset({"image"})

    channels: tuple[int, ...] = (16, 32)
    hidden: tuple[int, ...] = (64,)
    normalisation: str = "batch"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_options(self.channels, self.normalisation, self.dropout)
        if min(self.hidden, default=1) < 1:
            raise ConfigurationError(f"hidden must hold widths of at least 1, got {list(self.hidden)}")

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        inputs, height, width = schema.shape
        layers: list[nn.Module] = [Standardize((inputs, 1, 1))]
        for channels in self.channels:
            stride = 2 if min(height, width) >= NARROWEST else 1
            layers += [*convolution(inputs, channels, stride=1, normalisation=self.normalisation), nn.ReLU()]
            layers += [*convolution(channels, channels, stride=stride, normalisation=self.normalisation), nn.ReLU()]
            inputs, height, width = channels, -(-height // stride), -(-width // stride)
        layers.append(nn.Flatten())
        widths = (inputs * height * width, *self.hidden, outputs)
        for before, after in pairwise(widths):
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            layers += [nn.Linear(before, after), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
