"""Schema: what the inputs of a classifier mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import pandas as pd
import torch
from torch import Tensor

from classifier.errors import ConfigurationError, did_you_mean
from classifier.feature_fields import require_categories, require_range
from classifier.modality import modality_of
from classifier.options import require_types

Kind = Literal["continuous", "integer", "binary", "categorical", "text"]
Direction = Literal["any", "increase", "decrease"]
Encoding = Literal["unit", "natural"]
Sense = Literal["<=", "=="]
Effect = Literal["increases", "decreases"]


@dataclass(frozen=True)
class Feature:
    """One thing that is known of each case.

    Args:
        name: The column's name.
        kind: A number (``"continuous"``, ``"integer"``), one of two values, one of several, or a ``"text"``.
        low: Smallest value, in natural units.
        high: Largest value, in natural units.
        categories: The values of a categorical feature, the two of a binary one that is not 0 and 1, or the
            vocabulary of a text.
        scale: The unit of change of a number that has no bounds.
        mutable: Whether the person concerned could change it.
        direction: Which way it can change.
        protected: Whether it is a protected attribute that the classifier is nonetheless given.
        expected_effect: Which way the domain says that it moves the event.
        unit: Natural unit, ``"months"``.
        fill: The value that stands for a missing one; ``None`` refuses missing values.
        unknown: The category that stands for one that is not among `categories`; ``None`` refuses it.
        tokenizer: The whole ``tokenizer.json`` of a text that has its tokens from elsewhere, instead of a vocabulary.
    """

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] = ()
    scale: float | None = None
    mutable: bool = True
    direction: Direction = "any"
    protected: bool = False
    expected_effect: Effect | None = None
    unit: str = ""
    fill: float | str | None = None
    unknown: str | None = None
    tokenizer: str = ""

    def __post_init__(self) -> None:
        require_types(type(self), vars(self), whose=f" of feature {self.name!r}")
        _require_one_of(f"the kind of feature {self.name!r}", self.kind, Kind)
        _require_one_of(f"the direction of feature {self.name!r}", self.direction, Direction)
        if self.expected_effect is not None:
            _require_one_of(f"the expected effect of feature {self.name!r}", self.expected_effect, Effect)
        require_categories(self)
        require_range(self)

    @property
    def numeric(self) -> bool:
        """Whether it is one number a case, in natural units."""
        return self.kind in ("continuous", "integer") or (self.kind == "binary" and not self.categories)

    @property
    def width(self) -> int:
        """How many encoded columns it takes."""
        return len(self.categories) if self.kind == "categorical" else 1

    @property
    def span(self) -> float:
        """Natural units in one unit of change: the range, or `scale` where there are no bounds."""
        if self.low is not None and self.high is not None:
            return self.high - self.low
        return self.scale if self.scale is not None else 1.0


@dataclass(frozen=True)
class Relation:
    """A linear relation that every valid row keeps: ``sum(weight * feature) <= value`` (or ``==``).

    Args:
        weights: Weight of each feature, in natural units; ``{"installment": 1, "income": -1}``.
        sense: ``"<="`` or ``"=="``.
        value: Right-hand side.
    """

    weights: Mapping[str, float]
    sense: Sense
    value: float

    def __post_init__(self) -> None:
        _require_one_of("the sense of a relation", self.sense, Sense)


@dataclass(frozen=True)
class Schema:
    """What the inputs mean, and how they are encoded.

    Args:
        modality: ``"tabular"``, ``"image"``, ``"text"``, ``"sequence"`` or ``"graph"``; each is one file in
            ``classifier/modalities``.
        features: The features, in the order of the encoded columns: of a table its columns, of an image its
            channels, of a series what is measured at each step, of a graph what is known of each node. None
            where there are predictions alone, and nothing is known of what they were made from.
        relations: Relations between features that every valid row keeps.
        encoding: ``"unit"`` scales numbers by their bounds to [0, 1]; ``"natural"`` leaves them in
            natural units, as a classifier brought from elsewhere may want. Categories are one-hot in both.
        size: How often the features repeat in one input: ``(height, width)`` of an image, ``(steps,)`` of a
            series, ``(tokens,)`` of a text, ``(nodes,)`` of a graph; empty for a table.
    """

    modality: str
    features: tuple[Feature, ...]
    relations: tuple[Relation, ...] = ()
    encoding: Encoding = "unit"
    size: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _require_one_of("the encoding of a schema", self.encoding, Encoding)
        if any(extent < 1 for extent in self.size):
            raise ConfigurationError(f"the size of an input must be at least 1 along each axis, got {self.size}")
        names = [feature.name for feature in self.features]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ConfigurationError(f"features must have different names, got twice: {', '.join(twice)}")
        for feature in self.features:
            if self.encoding == "unit" and feature.numeric and feature.low is None and feature.kind != "binary":
                raise ConfigurationError(
                    f"feature {feature.name!r} has no bounds to scale by", remedy='give low and high, or encoding="natural"'
                )
            if feature.numeric and isinstance(feature.fill, str) and self.modality != "sequence":
                raise ConfigurationError(f"the fill of feature {feature.name!r} must be a number, got {feature.fill!r}")
        for relation in self.relations:
            for name in relation.weights:
                if not self[name].numeric:
                    raise ConfigurationError(f"a relation needs numbers, and {name!r} is {self[name].kind}")

    def __getitem__(self, name: str) -> Feature:
        for feature in self.features:
            if feature.name == name:
                return feature
        raise ConfigurationError(f"the schema has no feature {name!r}", remedy=did_you_mean(name, self.names))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The features' names."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def groups(self) -> dict[str, slice]:
        """The encoded columns of each feature."""
        groups: dict[str, slice] = {}
        start = 0
        for feature in self.features:
            groups[feature.name] = slice(start, start + feature.width)
            start += feature.width
        return groups

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the encoded columns, ``"amount"`` or ``"purpose=car"``."""
        return tuple(
            f"{feature.name}={category}" if feature.kind == "categorical" else feature.name
            for feature in self.features
            for category in (feature.categories if feature.kind == "categorical" else ("",))
        )

    @cached_property
    def column_bounds(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest value of each encoded column ``(D,)``; infinite where there is none."""
        low, high = torch.zeros(len(self.columns)), torch.ones(len(self.columns))
        if self.encoding == "natural":
            for feature in self.features:
                if feature.numeric:
                    binary = feature.kind == "binary" and feature.low is None
                    low[self.groups[feature.name]] = 0.0 if binary else -torch.inf if feature.low is None else feature.low
                    high[self.groups[feature.name]] = 1.0 if binary else torch.inf if feature.high is None else feature.high
        for feature in self.features:
            if feature.kind == "text":
                high[self.groups[feature.name]] = torch.inf if feature.high is None else feature.high
        return low, high

    @cached_property
    def column_scale(self) -> Tensor:
        """How far an encoded column moves for one unit of change ``(D,)``.

        A unit of change is a feature's range, or its `scale` where it has no bounds, so that a
        perturbation of size eps means the same fraction for every feature.
        """
        scale = torch.ones(len(self.columns))
        if self.encoding == "natural":
            for feature in self.features:
                if feature.numeric:
                    scale[self.groups[feature.name]] = feature.span
        return scale

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded input ``*S``."""
        return modality_of(self).shape

    @cached_property
    def bounds(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest value of each element ``(*S)``; infinite where there is none."""
        low, high = self.column_bounds
        return modality_of(self).lay(low), modality_of(self).lay(high)

    @cached_property
    def scale(self) -> Tensor:
        """How far an element moves for one unit of change ``(*S)``."""
        return modality_of(self).lay(self.column_scale)

    def encode(self, frame: pd.DataFrame) -> Tensor:
        """Turn cases in natural units into inputs.

        Args:
            frame: One row a case; of a table a column for each feature, else one column that holds the
                whole input. Other columns are ignored.

        Returns:
            Encoded inputs ``(N, *S)``.

        Raises:
            DataError: If a column is absent, a value is missing and has no `fill`, a category is
                unknown, or a number is not finite, is not whole as the feature is, or none of its two.
        """
        return modality_of(self).encode(frame)

    def decode(self, x: Tensor) -> pd.DataFrame:
        """Turn inputs back into cases in natural units.

        Args:
            x: Encoded inputs ``(N, *S)``.
        """
        return modality_of(self).decode(x)


def _require_one_of(what: str, value: str, allowed: Any) -> None:
    # Dataclasses do not check their literals, and a misspelt direction would constrain nothing.
    if value not in get_args(allowed):
        raise ConfigurationError(f"{what} is {value!r}", remedy=did_you_mean(value, get_args(allowed)))
