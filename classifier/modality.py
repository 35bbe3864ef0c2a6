"""Modality: how one kind of input is taken apart, masked, kept valid, and put into words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from classifier.registry import Registry
from classifier.schema import Schema


@dataclass(frozen=True)
class Modality(ABC):
    """One kind of input. Each is one file in ``classifier/modalities``.

    Its *players* are the parts that an explanation gives credit to: features of a table, patches of an
    image, tokens of a text. Every element of an input belongs to one player.
    """

    schema: Schema

    @property
    @abstractmethod
    def players(self) -> tuple[str, ...]:
        """The names of the players."""

    @property
    @abstractmethod
    def membership(self) -> Tensor:
        """The player that each element belongs to, as its index ``(*S)``, int64."""

    def neutral(self) -> Tensor:
        """The input that says nothing, where no data tell of a better one ``(*S)``: the middle of the bounds."""
        low, high = self.schema.bounds
        middle = (low + high) / 2
        return torch.where(middle.isfinite(), middle, torch.zeros_like(middle))

    def gather(self, values: Tensor) -> Tensor:
        """Sum values of elements to players.

        Args:
            values: One value an element ``(N, *S)``.

        Returns:
            One value a player ``(N, P)``.
        """
        flat = values.flatten(1)
        index = self.membership.flatten().to(flat.device).expand_as(flat)
        return torch.zeros(len(flat), len(self.players), dtype=flat.dtype, device=flat.device).scatter_add_(1, index, flat)

    @abstractmethod
    def spread(self, values: Tensor, x: Tensor) -> Tensor:
        """Lay values of players over their elements, so that `gather` gives them back.

        Args:
            values: One value a player ``(N, P)``.
            x: The inputs that they belong to ``(N, *S)``.

        Returns:
            One value an element ``(N, *S)``.
        """

    def mask(self, x: Tensor, present: Tensor, replacement: Tensor) -> Tensor:
        """Keep the players that are present, and take the others from `replacement`.

        Args:
            x: Inputs ``(N, *S)``, or anything that broadcasts with `replacement`.
            present: Which players stay ``(..., P)``, bool.
            replacement: What stands in for the others ``(..., *S)``.

        Returns:
            Masked inputs, of the broadcast shape.
        """
        return torch.where(present[..., self.membership.to(present.device)], x, replacement)

    @abstractmethod
    def repair(self, x: Tensor, centre: Tensor) -> Tensor:
        """The valid inputs nearest to `x` that are no farther from `centre` in any element.

        Args:
            x: Inputs that may be between valid ones ``(N, *S)``.
            centre: The valid inputs that they were made from ``(N, *S)``.
        """

    @abstractmethod
    def valid(self, x: Tensor) -> Tensor:
        """Whether each input could exist ``(N,)``, bool."""

    @abstractmethod
    def words(self, x: Tensor) -> list[dict[str, str]]:
        """Each input in words: the value of each player, in natural units.

        Args:
            x: Inputs ``(N, *S)``.
        """


MODALITIES: Registry[type[Modality]] = Registry("classifier.modalities", "modality")


def modality_of(schema: Schema) -> Modality:
    """The modality that `schema` names, ready to handle its inputs."""
    return MODALITIES[schema.modality](schema)
