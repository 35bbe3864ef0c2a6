"""Suspicions: what a reader should know of a table's columns, as sentences. None of it changes the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.schema import Schema
from classifier.spelling import EXACT, spelled

# Rows below which what two columns have in common may be an accident.
_ENOUGH = 20
# Rows looked at where a look at some is as good as one at all.
SOME_ROWS = 20_000


def looks_like_row_number(column: pd.Series[Any]) -> bool:
    """Whether a numeric column only counts the rows, and so tells nothing of a case.

    Where some rows of a file are missing, their numbers are the index, and the column must skip as many.
    """
    if column.dtype != float or column.isna().any() or len(column) < _ENOUGH:
        return False
    numbered = column.index.nlevels == 1 and pd.api.types.is_integer_dtype(column.index.dtype)
    steps = np.diff(column.index.to_numpy()) if numbered else np.ones(len(column) - 1)
    return bool((np.diff(column.to_numpy()) == steps).all())


def column_notes(column: pd.Series[Any], labels: NDArray[np.int64]) -> list[str]:
    """Whether a column is a number of the row, an identifier, or gives the class away.

    Args:
        column: A tidied column ``(N,)``.
        labels: Class of each row ``(N,)``.
    """
    notes = []
    if looks_like_row_number(column):
        notes.append(f"{column.name} only counts the rows; put it under drop")
    elif column.dtype == float and len(column) >= _ENOUGH and column.nunique() == len(column) and (column == column.round()).all():
        notes.append(f"{column.name} has another whole number in every row; if it is an identifier, put it under drop")
    if (share := _tells_the_class(column, labels)) is not None:
        notes.append(
            f"{column.name} alone tells the class of {share:.1%} of the rows; if it is known only after the fact, put it under drop"
        )
    return notes


def _tells_the_class(column: pd.Series[Any], labels: NDArray[np.int64]) -> float | None:
    """The share of rows whose class the column alone gives away, where that is nearly all that the commonest class does not."""
    if len(column) < 50:
        return None
    base = np.bincount(labels).max() / len(labels)
    if column.dtype == float and column.nunique() > 20:
        share = _in_runs(column, labels)
    else:
        counts = pd.crosstab(column.fillna("(missing)" if column.dtype == object else -1), labels).to_numpy()
        # As many values as rows tell anything; such a column is an identifier.
        share = float(counts.max(axis=1).sum() / len(column)) if len(counts) <= len(column) / 10 else 0.0
    return share if base < 1 and (share - base) / (1 - base) >= 0.995 else None


def _in_runs(column: pd.Series[Any], labels: NDArray[np.int64]) -> float:
    """The share of rows that, in the order of a number, stand among at least three of their class."""
    # Equal numbers tell nothing of each other, so their order is drawn.
    shuffled = np.random.default_rng(0).permutation(len(column))
    ordered = labels[np.lexsort((shuffled, column.fillna(-np.inf).to_numpy()))]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) + 1
    lengths = np.diff(ends, prepend=0)
    return float(lengths[lengths >= 3].sum() / len(ordered))


def repeated_columns(inputs: pd.DataFrame) -> list[str]:
    """Columns that hold what another one holds."""
    if len(inputs) < _ENOUGH:
        return []
    first: dict[tuple[str, bytes], object] = {}
    notes = []
    for name in inputs.columns:
        column = inputs[name]
        key = (str(column.dtype), pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes())
        if key in first:
            notes.append(f"{name} repeats {first[key]}; put one of them under drop")
        first.setdefault(key, name)
    return notes


def outliers(column: pd.Series[Any]) -> int:
    """How many numbers lie far out, by Tukey's outer fences."""
    if column.dtype != float:
        return 0
    low, high = column.quantile([0.25, 0.75])
    reach = 3 * (high - low)
    return int(((column < low - reach) | (column > high + reach)).sum()) if reach > 0 else 0


def outside_bounds(inputs: pd.DataFrame, schema: Schema) -> dict[str, int]:
    """How many values of each numeric column lie outside its bounds, where any do."""
    counts = {}
    for feature in schema.features:
        if feature.numeric and feature.low is not None and feature.name in inputs and inputs[feature.name].dtype == float:
            values = inputs[feature.name]
            counts[feature.name] = int(((values < feature.low) | (values > feature.high)).sum())
    return {name: count for name, count in counts.items() if count}


def bounds_notes(outside: Mapping[str, int], schema: Schema) -> list[str]:
    """The same in words."""
    return [
        f"{name} lies outside its bounds {schema[name].low:g} to {schema[name].high:g} in {count} row{'' if count == 1 else 's'}; kept"
        for name, count in outside.items()
    ]


def spelling_notes(raw: pd.DataFrame, inputs: pd.DataFrame) -> tuple[list[str], list[str]]:
    """What was lost when columns were taken for numbers.

    Args:
        raw: The input columns as they were read.
        inputs: The same, tidied.

    Returns:
        Notes, and the columns in which different whole numbers became equal.
    """
    notes, merged = [], []
    for name in inputs.columns:
        if inputs[name].dtype != float or pd.api.types.is_float_dtype(raw[name].dtype):
            continue
        keep = f'[data.features.{name}] kind = "categorical" keeps them as codes'
        if not pd.api.types.is_numeric_dtype(raw[name].dtype) and any(map(_has_leading_zero, raw[name])):
            notes.append(f"{name} has leading zeros and was taken for numbers; {keep}")
        if (inputs[name].abs() >= EXACT).any():
            whole = spelled(raw[name]).dropna()
            whole = whole[whole.str.fullmatch(r"[+-]?\d+")]
            if whole.nunique() > inputs[name].loc[whole.index].nunique():
                merged.append(str(name))
                notes.append(f"{name} holds whole numbers beyond 2^53, of which different ones are equal as numbers; {keep}")
    return notes, merged


def _has_leading_zero(value: object) -> bool:
    digits = value.strip().lstrip("+-") if isinstance(value, str) else ""
    return digits[:1] == "0" and digits[1:2].isdigit()
