"""Tables: the players are the features, and a categorical feature's one-hot columns are one player."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from classifier.cleaning import constant_columns, describe_table, infer_feature, schema_fields, tidy_columns
from classifier.columns import decode_column, encode_column, require_values
from classifier.errors import DataError, did_you_mean
from classifier.formats.tables import read_table
from classifier.modality import MODALITIES, Modality
from classifier.schema import Feature, Relation, Schema
from classifier.storage import room
from classifier.suspicions import SOME_ROWS

# Rounding noise over a chain of encodings, in natural units: this much, or what float32 leaves of a wide range.
TOLERANCE = 1e-4
NOISE = 1e-6
# Rounding in 32 bits of a number that was divided by a unit and multiplied by it again, as a share of its size.
_AGAIN = 5e-7
# Share of different values that must stay different in 32 bits; among millions of fractions some few always meet.
FEW = 0.9


@MODALITIES.register
class Tabular(Modality):
    """Rows of numbers and categories."""

    @staticmethod
    def read(path: Path) -> tuple[pd.DataFrame, str]:
        return read_table(path)

    @staticmethod
    def tidy(inputs: pd.DataFrame, stated: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
        return tidy_columns(inputs, stated)

    @staticmethod
    def infer(
        inputs: pd.DataFrame, *, stated: Mapping[str, Mapping[str, Any]], relations: Sequence[Relation], size: tuple[int, ...]
    ) -> Schema:
        constant = constant_columns(inputs)
        features = tuple(infer_feature(inputs[column], stated.get(str(column), {})) for column in inputs.columns if column not in constant)
        if not features:
            raise DataError("there is no column that could be an input", remedy="a table needs one beside the target that varies")
        return Schema("tabular", features, tuple(relations))

    def describe(self, inputs: pd.DataFrame, labels: Tensor) -> Mapping[str, Any]:
        found = describe_table(inputs, self.schema, labels.numpy())
        return {**found, "notes": (*found["notes"], *self._merged(inputs))}

    def encode(self, frame: pd.DataFrame) -> Tensor:
        schema = self.schema
        for name in schema.names:
            if name not in frame.columns:
                raise DataError(f"the table has no column {name!r}", remedy=did_you_mean(name, map(str, frame.columns)))
        # The schema decides what a value is, not the other rows that happen to be encoded with it.
        tidied = tidy_columns(frame[list(schema.names)], schema_fields(schema))
        encoded = room((len(frame), len(schema.columns)))
        for feature in schema.features:
            require_values(feature, tidied[feature.name])
            encoded.numpy()[:, schema.groups[feature.name]] = encode_column(feature, tidied[feature.name], schema.encoding)
        return encoded

    def decode(self, x: Tensor) -> pd.DataFrame:
        schema, values = self.schema, x.detach().cpu().double().numpy()
        return pd.DataFrame({f.name: decode_column(f, values[:, schema.groups[f.name]], schema.encoding) for f in schema.features})

    @property
    def players(self) -> tuple[str, ...]:
        return self.schema.names

    @cached_property
    def membership(self) -> Tensor:
        widths = torch.tensor([feature.width for feature in self.schema.features])
        return torch.repeat_interleave(torch.arange(len(widths)), widths)

    def neutral(self) -> Tensor:
        middle = super().neutral()
        for feature in self.schema.features:
            if feature.kind == "categorical":
                middle[self.schema.groups[feature.name]] = 1 / feature.width
        return middle

    def spread(self, values: Tensor, x: Tensor) -> Tensor:
        """Lay a feature's value over its columns: on the category that the row has, for a one-hot group."""
        spread = torch.zeros_like(x, dtype=values.dtype)
        for index, feature in enumerate(self.schema.features):
            columns = self.schema.groups[feature.name]
            place = torch.zeros_like(spread[:, columns])
            place.scatter_(1, x[:, columns].argmax(1, keepdim=True), values[:, index : index + 1])
            spread[:, columns] = place
        return spread

    def repair(self, x: Tensor, centre: Tensor) -> Tensor:
        """Round whole numbers towards `centre`, and keep one category a group.

        A group takes another category only where `x` has gone all the way to it, since a valid row at a
        smaller distance has the centre's.
        """
        repaired = x.clone()
        for feature in self.schema.features:
            columns = self.schema.groups[feature.name]
            if feature.kind == "categorical":
                abandoned = (x[:, columns] * centre[:, columns]).sum(1, keepdim=True) <= TOLERANCE
                arrived = x[:, columns].amax(1, keepdim=True) >= 1 - TOLERANCE
                other = torch.nn.functional.one_hot(x[:, columns].argmax(1), feature.width).to(x)
                repaired[:, columns] = torch.where(abandoned & arrived, other, centre[:, columns])
            elif feature.kind in ("integer", "binary"):
                step = self._step(feature)
                steps = (x[:, columns] - centre[:, columns]) / step
                # A large number that went through other units comes back some roundings away.
                noise = _noise(feature) + _AGAIN * centre[:, columns].abs() / step
                repaired[:, columns] = centre[:, columns] + (steps.abs() + noise).floor() * steps.sign() * step
        return repaired

    def valid(self, x: Tensor) -> Tensor:
        valid = x.isfinite().all(1)
        for feature in self.schema.features:
            columns = x[:, self.schema.groups[feature.name]]
            if feature.kind == "categorical":
                ones = (columns - 1).abs() <= TOLERANCE
                valid &= (ones.sum(1) == 1) & (ones | (columns.abs() <= TOLERANCE)).all(1)
            elif feature.kind in ("integer", "binary"):
                origin = 0.0 if self._scaled(feature) or feature.low is None else feature.low
                steps = (columns[:, 0] - origin) / self._step(feature)
                valid &= (steps - steps.round()).abs() <= _noise(feature)
                if feature.kind == "binary":
                    valid &= (steps.round() == 0) | (steps.round() == 1)
        for relation in self.schema.relations:
            total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
            size = torch.zeros_like(total)
            for name, weight in relation.weights.items():
                term = weight * self._natural(self.schema[name], x)
                total, size = total + term, size + term.abs()
            excess = total - relation.value
            slack = TOLERANCE * (1 + size)
            valid &= (excess <= slack) if relation.sense == "<=" else (excess.abs() <= slack)
        return valid

    def words(self, x: Tensor) -> list[dict[str, str]]:
        frame = self.decode(x)
        for feature in self.schema.features:
            frame[feature.name] = [word_for(feature, value) for value in frame[feature.name]]
        return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False, name=None)]

    def _merged(self, inputs: pd.DataFrame) -> list[str]:
        """Notes on numbers of which many different ones are equal once they are encoded in 32 bits."""
        some, notes = inputs.iloc[:: max(1, len(inputs) // SOME_ROWS)], []
        for feature in self.schema.features:
            if feature.numeric and feature.name in some and some[feature.name].dtype == float:
                values = some[feature.name].dropna()
                before, after = values.nunique(), len(np.unique(encode_column(feature, values, self.schema.encoding)))
                if after < FEW * before:
                    said = f"{feature.name} has {before} different values, of which 32 bits tell {after} apart"
                    notes.append(f"{said}; subtract a constant, or encode it by its bounds")
        return notes

    def _scaled(self, feature: Feature) -> bool:
        return self.schema.encoding == "unit" and feature.low is not None

    def _step(self, feature: Feature) -> float:
        """How far the encoded column moves when the feature changes by one, or to its other value."""
        if feature.kind == "binary":
            return 1.0 if self._scaled(feature) else feature.span
        return 1 / feature.span if self._scaled(feature) else 1.0

    def _natural(self, feature: Feature, x: Tensor) -> Tensor:
        """A number's values in natural units ``(N,)``."""
        column = x[:, self.schema.groups[feature.name]][:, 0]
        if feature.low is None or not self._scaled(feature):
            return column
        return column * feature.span + feature.low


def _noise(feature: Feature) -> float:
    """How far rounding may have moved a whole number, in its natural unit."""
    return max(TOLERANCE, NOISE * feature.span)


def word_for(feature: Feature, value: object) -> str:
    """A value in natural units as a reader wants it."""
    if not isinstance(value, float):
        return str(value)
    text = f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}"
    return f"{text} {feature.unit}" if feature.unit else text
