"""Logistic regression: one linear layer, interpretable by its weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from torch import nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._layers import Standardize
from classifier.schema import Schema


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class Logistic(Architecture):
    """Logits that are linear in the inputs."""

    modalities: ClassVar[frozenset[str]] = frozenset({"tabular", "image", "sequence", "graph"})

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        return nn.Sequential(Standardize.of(schema), nn.Flatten(), nn.Linear(prod(schema.shape), outputs))
