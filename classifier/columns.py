"""Columns: how the values of one feature become numbers, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from classifier.schema import Encoding, Feature


def as_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of categories as strings; whole numbers, as codes are, without a decimal point. Missing values stay."""
    if pd.api.types.infer_dtype(column, skipna=True) == "string":
        return column
    return column.map(lambda value: str(int(value)) if isinstance(value, float) and value.is_integer() else str(value), na_action="ignore")


def place(values: pd.Series[Any], position: int) -> str:
    """Where a value of a column stands: ``row 7``, or ``series 20, step 2`` where a row has two numbers, each with a name."""
    label = values.index[position]
    if not isinstance(label, tuple):
        return f"row {label}"
    return ", ".join(f"{name} {number}" for name, number in zip(values.index.names, label, strict=True))


def require_values(feature: Feature, column: pd.Series[Any]) -> None:
    """Refuse numbers that a feature cannot have. Those outside its bounds are no such numbers: they are counted.

    Args:
        feature: What the values mean.
        column: The values, in natural units ``(N,)``.

    Raises:
        DataError: If a whole number is none, or one of two values neither.
    """
    if feature.categories or feature.kind not in ("integer", "binary"):
        return
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    two = (0.0, 1.0) if feature.low is None or feature.high is None else (feature.low, feature.high)
    right = np.isin(numbers, two) if feature.kind == "binary" else numbers == np.round(numbers)
    # What is missing or not finite is judged when it is encoded.
    wrong = np.isfinite(numbers) & ~right
    if wrong.any():
        first = int(wrong.argmax())
        required = f"{two[0]:g} or {two[1]:g}" if feature.kind == "binary" else "a whole number"
        raise DataError(
            f"column {feature.name!r} must hold {required}, got {numbers[first]:g} in {place(column, first)}",
            remedy='correct it, or state kind = "continuous" and train with it',
        )


def encode_column(feature: Feature, column: pd.Series[Any], encoding: Encoding) -> NDArray[Any]:
    """One feature's encoded columns ``(N, width)``, float32.

    Args:
        feature: What the values mean.
        column: The values, in natural units ``(N,)``.
        encoding: Whether numbers are scaled by their bounds.

    Raises:
        DataError: If a value is missing and has no `fill`, a category is unknown and none stands for it, or a
            number is not finite.
    """
    absent = column.isna()
    if absent.any():
        if feature.fill is None:
            raise DataError(
                f"column {feature.name!r} lacks a value in {int(absent.sum())} of {len(column)} rows, "
                f"first in {place(column, int(absent.to_numpy().argmax()))}",
                remedy="fill it, drop those rows, or give the feature a fill value",
            )
        column = column.astype(object).where(~absent, feature.fill)
    if feature.categories:
        codes = pd.Index(feature.categories, dtype=object).get_indexer(pd.Index(as_text(column), dtype=object))
        if feature.unknown is not None:
            codes = np.where(codes < 0, feature.categories.index(feature.unknown), codes)
        if (codes < 0).any():
            first = int((codes < 0).argmax())
            value = str(column.iloc[first])
            raise DataError(
                f"column {feature.name!r} has the unknown category {value!r} in {place(column, first)}",
                remedy=did_you_mean(value, feature.categories),
            )
        if feature.kind == "binary":
            return codes[:, None].astype(np.float32)
        return np.eye(feature.width, dtype=np.float32)[codes]
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, copy=True)
    _require_finite(feature, column, numbers, "finite numbers")
    with np.errstate(over="ignore"):
        if encoding == "unit" and feature.low is not None:
            numbers = (numbers - feature.low) / feature.span
        encoded = numbers.astype(np.float32)
    _require_finite(feature, column, encoded, "numbers that are finite in 32 bits")
    return encoded[:, None]


def _require_finite(feature: Feature, column: pd.Series[Any], numbers: NDArray[Any], required: str) -> None:
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(f"column {feature.name!r} must hold {required}, got {str(column.iloc[first])!r} in {place(column, first)}")


def decode_column(feature: Feature, values: NDArray[Any], encoding: Encoding) -> NDArray[Any]:
    """The values of one feature in natural units ``(N,)``.

    Args:
        feature: What the values mean.
        values: Its encoded columns ``(N, width)``.
        encoding: Whether numbers were scaled by their bounds.
    """
    if feature.kind == "categorical":
        return np.array(feature.categories, dtype=object)[values.argmax(axis=1)]
    if feature.categories:
        return np.array(feature.categories, dtype=object)[(values[:, 0] > 0.5).astype(int)]
    scaled = encoding == "unit" and feature.low is not None
    low, span = (feature.low or 0.0, feature.span) if scaled else (0.0, 1.0)
    if feature.kind in ("integer", "binary"):
        return np.round(low + span * values[:, 0])
    # Seven digits is what float32 held of the distance from low; more would be noise of the encoding.
    return np.array([float(f"{low + float(f'{distance:.7g}'):.15g}") for distance in span * values[:, 0]])
