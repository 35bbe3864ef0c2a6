"""Architecture: a network that Assay can build from its name and options alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn

from classifier.errors import NotApplicableError
from classifier.registry import Registry
from classifier.schema import Schema


@dataclass(frozen=True)
class Architecture(ABC):
    """A family of networks. Each is one file in ``classifier/architectures``, a frozen dataclass of options."""

    #: The modalities whose inputs its networks take.
    modalities: ClassVar[frozenset[str]] = frozenset({"tabular"})

    def require(self, schema: Schema) -> None:
        """Refuse inputs that its networks do not take.

        Raises:
            NotApplicableError: If they are of another modality; the message names the architectures that take it.
        """
        if schema.modality not in self.modalities:
            others = [name for name in ARCHITECTURES if schema.modality in ARCHITECTURES[name].modalities]
            raise NotApplicableError(
                f"the architecture {type(self).__module__.rpartition('.')[2]!r} takes inputs of modality "
                f"{' or '.join(sorted(self.modalities))}, got {schema.modality}",
                remedy=f"these take them: {', '.join(others) or 'none'}",
            )

    @abstractmethod
    def build(self, schema: Schema, outputs: int) -> nn.Module:
        """A network with fresh weights.

        Args:
            schema: What the inputs are.
            outputs: How many logits it gives, the number of classes.
        """

    def blueprint(self) -> Architecture:
        """The options that rebuild a network whose weights are at hand: what a saved classifier names."""
        return self


@runtime_checkable
class Settles(Protocol):
    """A network with something to put in order once it is trained."""

    def settle(self, x: Tensor) -> None:
        """Put it in order, and change no logit by more than rounding.

        Args:
            x: Training inputs ``(N, *S)``.
        """


@runtime_checkable
class Embeds(Protocol):
    """A network over discrete inputs that first turns them into points of a continuous space.

    ``classify(embed(x), x)`` is what the network answers to `x`.
    """

    def embed(self, x: Tensor) -> Tensor:
        """The points that inputs are turned into.

        Args:
            x: Inputs, numbers of tokens ``(N, T)``.

        Returns:
            One vector a token ``(N, T, E)``.
        """

    def classify(self, embeddings: Tensor, x: Tensor) -> Tensor:
        """What the network answers where the points are other ones.

        Args:
            embeddings: Points ``(N, T, E)``.
            x: The inputs that they stand for, which tell where a text ends ``(N, T)``.

        Returns:
            Logits ``(N, K)``.
        """


ARCHITECTURES: Registry[type[Architecture]] = Registry("classifier.architectures", "architecture")
