"""Modality: how one kind of input is encoded, taken apart, masked, kept valid, and put into words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import torch
from torch import Tensor

from classifier.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from classifier.schema import Relation, Schema


@dataclass(frozen=True)
class Modality(ABC):
    """One kind of input. Each is one file in ``classifier/modalities``.

    Its *players* are the parts that an explanation gives credit to: features of a table, patches of an
    image, tokens of a text. Every element of an input belongs to one player.
    """

    schema: Schema

    #: Whether an input can change by a little, so that gradients with respect to it mean something.
    continuous: ClassVar[bool] = True
    #: Whether a player means the same in every input, as a feature does and the third word of a text does not.
    aligned: ClassVar[bool] = True
    #: Type of an input's elements.
    dtype: ClassVar[torch.dtype] = torch.float32

    def __post_init__(self) -> None:  # noqa: B027  # not every kind of input has something to refuse
        """Refuse a schema that does not describe such inputs."""

    @staticmethod
    @abstractmethod
    def read(path: Path) -> tuple[pd.DataFrame, str]:
        """Read cases from files.

        Args:
            path: The file or folder.

        Returns:
            One row a case, and the SHA-256 of what was read.

        Raises:
            DataError: If the files cannot be read.
        """

    @staticmethod
    def tidy(inputs: pd.DataFrame, stated: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
        """The input columns as `infer` and `encode` want them.

        Args:
            inputs: The columns as they were read.
            stated: For a feature, the fields of `Feature` that are stated.
        """
        return inputs

    @staticmethod
    @abstractmethod
    def infer(
        inputs: pd.DataFrame, *, stated: Mapping[str, Mapping[str, Any]], relations: Sequence[Relation], size: tuple[int, ...]
    ) -> Schema:
        """What the inputs are, as far as it shows.

        Args:
            inputs: The columns that are inputs, one row a case.
            stated: For a feature, the fields of `Feature` that are stated rather than inferred.
            relations: Relations that every valid input keeps.
            size: The stated size of an input; empty where it is to be inferred.

        Raises:
            DataError: If they are not such inputs.
        """

    def describe(self, inputs: pd.DataFrame, labels: Tensor) -> Mapping[str, Any]:
        """What was found in the cases and done about it: fields of `Cleaning`.

        Args:
            inputs: The columns that are inputs, one row a case.
            labels: Class of each case ``(N,)``.
        """
        return {}

    @abstractmethod
    def encode(self, frame: pd.DataFrame) -> Tensor:
        """Turn cases into inputs ``(N, *S)``; see :meth:`Schema.encode`."""

    @abstractmethod
    def decode(self, x: Tensor) -> pd.DataFrame:
        """Turn inputs ``(N, *S)`` back into cases; see :meth:`Schema.decode`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input ``*S``: the features' columns are its last axis, unless a modality says otherwise."""
        return (*self.schema.size, len(self.schema.columns))

    def lay(self, columns: Tensor) -> Tensor:
        """One value a column of the features ``(D,)``, laid over an input ``(*S)``."""
        return columns.expand(self.shape)

    @property
    def movable(self) -> tuple[Tensor, Tensor]:
        """Whether each element may fall, and whether it may rise ``(*S)``, bool."""
        schema = self.schema
        fall, rise = (torch.ones(len(schema.columns), dtype=torch.bool) for _ in range(2))
        for feature in schema.features:
            fall[schema.groups[feature.name]] = feature.mutable and feature.direction != "increase"
            rise[schema.groups[feature.name]] = feature.mutable and feature.direction != "decrease"
        return self.lay(fall), self.lay(rise)

    @property
    @abstractmethod
    def players(self) -> tuple[str, ...]:
        """The names of the players."""

    @property
    @abstractmethod
    def membership(self) -> Tensor:
        """The player that each element belongs to, as its index ``(*S)``, int64."""

    def present(self, x: Tensor) -> Tensor:
        """Which players each input has ``(N, P)``, bool: of a text, the tokens before its end."""
        return torch.ones(len(x), len(self.players), dtype=torch.bool, device=x.device)

    def neutral(self) -> Tensor:
        """The input that says nothing, where no data tell of a better one ``(*S)``: the middle of the bounds."""
        low, high = self.schema.bounds
        middle = (low + high) / 2
        return torch.where(middle.isfinite(), middle, torch.zeros_like(middle))

    def typical(self, x: Tensor) -> Tensor:
        """What other inputs are compared with ``(*S)``: the mean of inputs ``(N, *S)``."""
        return x.mean(0)

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
