"""Architecture: a network that Assay can build from its name and options alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn

from classifier.registry import Registry
from classifier.schema import Schema


@dataclass(frozen=True)
class Architecture(ABC):
    """A family of networks. Each is one file in ``classifier/architectures``, a frozen dataclass of options."""

    @abstractmethod
    def build(self, schema: Schema, outputs: int) -> nn.Module:
        """A network with fresh weights.

        Args:
            schema: What the inputs are.
            outputs: How many logits it gives, the number of classes.
        """


ARCHITECTURES: Registry[type[Architecture]] = Registry("classifier.architectures", "architecture")
