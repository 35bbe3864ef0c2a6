"""Multi-layer perceptron: linear layers with an activation between them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from torch import nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._layers import Standardize
from classifier.errors import ConfigurationError, did_you_mean
from classifier.schema import Schema

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "gelu": nn.GELU}


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class MLP(Architecture):
    """A fully connected network.

    Args:
        hidden: Width of each hidden layer.
        activation: ``"relu"``, ``"sigmoid"``, ``"tanh"`` or ``"gelu"``.
        dropout: Share of hidden units left out at each training step.
    """

    modalities: ClassVar[frozenset[str]] = frozenset({"tabular", "image", "sequence", "graph"})

    hidden: tuple[int, ...] = (64,)
    activation: str = "relu"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ConfigurationError(f"hidden must hold widths of at least 1, got {list(self.hidden)}")
        if self.activation not in ACTIVATIONS:
            raise ConfigurationError(f"there is no activation {self.activation!r}", remedy=did_you_mean(self.activation, ACTIVATIONS))
        if not 0 <= self.dropout < 1:
            raise ConfigurationError(f"dropout must lie in [0, 1), got {self.dropout}")

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        layers: list[nn.Module] = [Standardize.of(schema), nn.Flatten()]
        width = prod(schema.shape)
        for units in self.hidden:
            layers += [nn.Linear(width, units), ACTIVATIONS[self.activation]()]
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            width = units
        return nn.Sequential(*layers, nn.Linear(width, outputs))
