"""What data must be for a classifier that was brought: nothing in them may reach it other than it is, unless somebody said so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from classifier.dataset import Dataset
from classifier.errors import AssayError, ConfigurationError
from classifier.formats.tables import table_parts
from classifier.schema import Feature, Schema

# Kinds of models that compare numbers in double precision. XGBoost and networks have them in 32 bits themselves.
_DOUBLE = ("skops", "lightgbm", "rest", "onnx")
# A column whose neighbouring numbers are this far apart, as a share of its range, is not the column that was learned from.
_COARSE = 1e-3


def require_fills(dataset: Dataset, features: Mapping[str, Mapping[str, Any]], kind: str) -> None:
    """Refuse a column with gaps of which nobody says what the classifier is to be asked in their place.

    The median of the audit's own data, or a category that the classifier never saw, would be a guess: it was trained with
    other ones, or takes gaps as they are.

    Args:
        dataset: The data as they were read.
        features: What is stated of each feature.
        kind: How the classifier is brought.

    Raises:
        ConfigurationError: With the column and how many values it lacks.
    """
    missing = dataset.cleaning.missing if dataset.cleaning is not None else {}
    for column, count in missing.items():
        if "fill" in features.get(column, {}):
            continue
        feature = next((each for each in dataset.schema.features if each.name == column), None)
        known = [name for name in feature.categories if name != feature.fill] if feature is not None and feature.kind != "text" else []
        example = f'fill = "{known[0]}"' if known else f"fill = {feature.fill if feature is not None else 0}"
        if known:
            own = ", ".join(f'"{name}"' for name in (*known, "(missing)"))
            example += f', or as a category of its own categories = [{own}] and fill = "(missing)"'
        raise ConfigurationError(
            f"column {column!r} of {dataset.source.get('name', 'the data')} lacks a value in {count} of {len(dataset)} rows, "
            f"and nobody says what stands for it: {kind} is asked whole rows",
            remedy=f"state it, in natural units: [data.features.{column}] {example}; or leave those rows out",
        )


def require_precision(schema: Schema, kind: str) -> None:
    """Refuse a column that 32 bits make coarse before a classifier that compares in double precision, such as seconds since 1970.

    Raises:
        ConfigurationError: With the column, and the distance of neighbouring numbers.
    """
    for feature in schema.features if kind in _DOUBLE and kind != "onnx" else ():
        step = resolution(feature, schema)
        if step > _COARSE * feature.span:
            shift = f"subtract a constant such as {feature.low:.0f} from {feature.name!r}, in training and in these data"
            raise ConfigurationError(
                f"column {feature.name!r} reaches {_largest(feature):.0f} over a range of {feature.span:g}, and there 32 bits hold numbers "
                f"{step:g} apart: the classifier would be asked others than the data have",
                remedy=shift
                if kind == "lightgbm"
                else 'state [data] encoding = "unit": the classifier is given natural units all the same',
            )


def precision_notes(schema: Schema, kind: str) -> list[str]:
    """Columns whose whole numbers 32 bits do not all hold, as sentences."""
    return [
        f"{feature.name}: its numbers are given in 32 bits, {resolution(feature, schema):g} apart; a model that compares in double "
        "precision may answer otherwise"
        for feature in (schema.features if kind in _DOUBLE else ())
        if feature.kind == "integer" and resolution(feature, schema) > 1
    ]


def resolution(feature: Feature, schema: Schema) -> float:
    """How far apart the largest numbers of a feature are in the encoding, in natural units; 0 where it has no bounds."""
    if feature.low is None or not feature.numeric or schema.encoding == "unit":
        return 0.0
    return float(np.spacing(np.float32(_largest(feature))))


def _largest(feature: Feature) -> float:
    return max(abs(feature.low or 0.0), abs(feature.high or 0.0))


def with_stated_constants(dataset: Dataset, features: Mapping[str, Mapping[str, Any]], path: Path) -> Schema:
    """The schema of a table, with those of its constant columns of which somebody states what else they could be.

    A column of one value tells nothing about these data; the classifier that learned from others may take it all the same.

    Args:
        dataset: The table as it was read.
        features: What is stated of each feature.
        path: The table's file, whose columns tell the order.
    """
    constant = dataset.cleaning.constant if dataset.cleaning is not None else ()
    stated = {name: dict(features[name]) for name in constant if _bounded(features.get(name, {}))}
    if dataset.schema.modality != "tabular" or not stated:
        return dataset.schema
    kept = {feature.name: feature for feature in dataset.schema.features}
    for name, fields in stated.items():
        categories = tuple(map(str, fields.pop("categories", ())))
        kind = "continuous" if not categories else "binary" if len(categories) == 2 else "categorical"
        kept[name] = Feature(name=name, categories=categories, **{"kind": kind, **fields})
    order = map(str, next(table_parts(path, 1)).columns)
    return replace(dataset.schema, features=tuple(kept[name] for name in order if name in kept))


def _bounded(fields: Mapping[str, Any]) -> bool:
    return {"low", "high"} <= fields.keys() or bool(fields.get("categories"))


def with_left_out(error: AssayError, dataset: Dataset) -> AssayError:
    """An error of a classifier that lacks a column, with the constant columns that were left out of the data."""
    constant = dataset.cleaning.constant if dataset.cleaning is not None else ()
    if not constant:
        return error
    stated = f"state what it can be: [data.features.{constant[0]}] low = 0, high = 10, or categories = [...]"
    left_out = f"left out, since they have one value only in these data: {', '.join(constant)}; if the classifier takes one, {stated}"
    return type(error)(error.problem, remedy=f"{error.remedy}; {left_out}" if error.remedy else left_out)
