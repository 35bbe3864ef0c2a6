"""From a raw table to features: what each column is, and what had to be said or left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.columns import as_text, place
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.schema import Feature, Schema
from classifier.spelling import TRUTH, Taken, named, numbers_in, spelled, taken_for, text_taken_for
from classifier.suspicions import column_notes, looks_like_row_number, outliers, outside_bounds, repeated_columns
from classifier.unfit import refuse_nested, refuse_unfit

__all__ = [
    "Cleaning", "constant_columns", "describe_table", "infer_feature", "looks_like_row_number", "require_fields", "schema_fields", "tidy",
    "tidy_columns",
]  # fmt: skip

# Values of a column that is stated to be categorical: more would be an identifier, and a column of inputs each.
MOST_STATED = 1000
GAP = "(missing)"


@dataclass(frozen=True)
class Cleaning:
    """What was found in a table and what was done about it.

    Args:
        rows_read: Rows in the table.
        rows_without_target: Rows left out because their label is missing.
        duplicates: Rows that repeat an earlier row in every input and the label; kept, and kept on one side of a split.
        kinds: What each feature was taken for.
        missing: Missing values in each column that has any.
        filled: What stands for a missing value in each such column.
        constant: Columns left out because they have one value only.
        outliers: Numbers in each column that lie more than 3 interquartile ranges beyond its quartiles; kept.
        outside: Values of each column that lie outside its stated bounds; kept.
        notes: Whatever else a reader should know, as sentences.
    """

    rows_read: int
    rows_without_target: int
    duplicates: int
    kinds: Mapping[str, str]
    missing: Mapping[str, int] = field(default_factory=dict)
    filled: Mapping[str, str] = field(default_factory=dict)
    constant: tuple[str, ...] = ()
    outliers: Mapping[str, int] = field(default_factory=dict)
    outside: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def tidy(column: pd.Series[Any], *, codes: bool = False, exact: bool = False, taken: Taken | None = None) -> pd.Series[Any]:
    """A column with missing values marked, as numbers where all its values are numbers, else as strings.

    True and false become yes and no, whether they are truth values or text.

    Args:
        column: The column as it was read.
        codes: Whether numbers are codes of categories, and so stay as they are written.
        exact: Whether numbers stay as they are written if any has leading zeros, or is whole and beyond 2^53: of
            identifiers, no two may become one.
        taken: What the values are, where that is known of a table of which this column is a part.
    """
    if pd.api.types.is_complex_dtype(column):
        raise DataError(f"column {str(column.name)!r} holds complex numbers", remedy="give real and imaginary part a column each")
    if pd.api.types.is_numeric_dtype(column) and not codes and (taken or taken_for(column, exact=exact)) == "number":
        return column.astype(float)
    text = spelled(column)
    found = taken or text_taken_for(text, exact=exact)
    if found == "truth":
        return text.where(text.isna(), text.str.lower().map(TRUTH)).astype(object)
    return text if codes or found == "text" else numbers_in(text)


def tidy_columns(
    frame: pd.DataFrame,
    stated: Mapping[str, Mapping[str, Any]],
    *,
    exact: bool = False,
    taken: Mapping[str, Taken] | None = None,
) -> pd.DataFrame:
    """All columns of a table tidied. Categories that are stated decide how a value is called; of a stated kind, codes stay as written.

    Args:
        frame: The table as it was read.
        stated: For a column, the fields of `Feature` that are stated.
        exact: Whether these columns are no inputs, so that numbers in them may be identifiers; see :func:`tidy`.
        taken: What columns are, where that is known of a table of which this is a part.

    Raises:
        DataError: If an input column holds several values in one cell, or complex numbers.
    """
    columns = {}
    for name in frame.columns:
        given, column = stated.get(name, {}), frame[name]
        if not exact:
            refuse_nested(str(name), column)
        if given.get("categories"):
            columns[name] = named(column, map(str, given["categories"]))
        else:
            columns[name] = tidy(column, codes=given.get("kind") == "categorical", exact=exact, taken=(taken or {}).get(str(name)))
    return pd.DataFrame(columns, index=frame.index)


def schema_fields(schema: Schema) -> dict[str, dict[str, Any]]:
    """For each feature of a schema, what decides how its values are tidied."""
    return {feature.name: {"kind": feature.kind, "categories": feature.categories} for feature in schema.features}


def require_fields(name: str, stated: object) -> None:
    """Refuse what is stated of a feature and is none of its fields.

    Raises:
        ConfigurationError: With the field that may be meant.
    """
    if not isinstance(stated, Mapping):
        raise ConfigurationError(
            f"what is stated of feature {name!r} must be its fields, got {stated!r}", remedy=f'[data.features.{name}] kind = "categorical"'
        )
    known = [each.name for each in fields(Feature) if each.name != "name"]
    for key in stated:
        if key not in known:
            raise ConfigurationError(f"feature {name!r} has no field {key!r}", remedy=did_you_mean(key, known))
    if "categories" in stated and not isinstance(stated["categories"], list | tuple):
        raise ConfigurationError(f"categories of feature {name!r} must be a list, got {stated['categories']!r}")


def infer_feature(column: pd.Series[Any], overrides: Mapping[str, Any] | None = None) -> Feature:
    """What a tidied column is: a whole number, a number, one of two values, or one of several.

    Args:
        column: A column that :func:`tidy` returned, with at least two different values.
        overrides: Fields of the feature that the user states; what is stated is not inferred.

    Raises:
        DataError: If it holds free text, dates, an identifier, mixed types, numbers that are not finite, or
            values that its stated kind does not have.
        ConfigurationError: If `overrides` names a field that a feature does not have, or states what cannot be.
    """
    name, stated = str(column.name), dict(overrides or {})
    require_fields(name, stated)
    present, kind = column.dropna(), stated.get("kind")
    if "categories" in stated:
        stated["categories"] = tuple(str(value) for value in stated["categories"])
        inferred: dict[str, Any] = {"kind": "binary" if len(stated["categories"]) == 2 else "categorical"}
    elif kind in ("continuous", "integer") and present.dtype != float:
        wrong = present[numbers_in(present.astype(object)).isna()]
        if wrong.empty:
            wrong = present
        raise DataError(
            f"column {name!r} is stated as {kind} but holds {str(wrong.iloc[0])[:40]!r} in {place(wrong, 0)}",
            remedy="correct it, or leave it empty",
        )
    elif present.dtype == float and kind != "categorical":
        inferred = _infer_number(name, present, kind)
    else:
        inferred = _infer_categories(name, as_text(present), stated=kind == "categorical")
    if column.isna().any() and "fill" not in stated:
        categories = stated.get("categories", inferred.get("categories", ()))
        if not categories:
            inferred["fill"] = lower_median(present)
        elif kind == "binary":
            raise DataError(
                f"column {name!r} is stated as binary but lacks {int(column.isna().sum())} of {len(column)} values",
                remedy="state fill, the value that stands for a missing one",
            )
        else:
            # A category of its own does not move what the other rows say. Where a text says so already, it is the same.
            inferred |= {"kind": "categorical", "fill": GAP}
            (stated if "categories" in stated else inferred)["categories"] = (*categories, *([] if GAP in categories else [GAP]))
    unknown = stated.get("unknown")
    if unknown is not None and inferred.get("categories") and "categories" not in stated and unknown not in inferred["categories"]:
        inferred |= {"kind": "categorical", "categories": (*inferred["categories"], unknown)}
    return Feature(name=name, **{**inferred, **stated})


def lower_median(values: pd.Series[Any]) -> float:
    """What stands for a missing number. It occurs in the data: it is whole where they are, and the majority of two values."""
    return float(values.quantile(0.5, interpolation="lower"))


def _infer_number(name: str, values: pd.Series[Any], stated: str | None) -> dict[str, Any]:
    finite = np.isfinite(values.to_numpy())
    if not finite.all():
        first = int((~finite).argmax())
        raise DataError(
            f"column {name!r} has the non-finite value {values.iloc[first]} in {place(values, first)}",
            remedy="correct it, or leave it empty",
        )
    low, high = float(values.min()), float(values.max())
    broken = (values != values.round()).to_numpy()
    if stated == "integer" and broken.any():
        first = int(broken.argmax())
        raise DataError(
            f"column {name!r} is stated as integer but holds {values.iloc[first]:g} in {place(values, first)}",
            remedy='correct it, or state kind = "continuous"',
        )
    if stated == "binary" and values.nunique() > 2:
        raise DataError(
            f"column {name!r} is stated as binary but holds {values.nunique()} different values",
            remedy='state kind = "integer", "continuous" or "categorical"',
        )
    kind = "continuous" if broken.any() else "binary" if values.nunique() == 2 else "integer"
    return {"kind": kind, "low": low, "high": high}


def _infer_categories(name: str, text: pd.Series[Any], *, stated: bool) -> dict[str, Any]:
    distinct = sorted(text.unique())
    if not stated:
        refuse_unfit(name, text)
    elif len(distinct) > MOST_STATED:
        raise DataError(
            f"column {name!r} is stated as categorical but has {len(distinct)} different values, at most {MOST_STATED} can be categories",
            remedy=f'put "{name}" under drop, or state its categories, and unknown for all others',
        )
    return {"kind": "binary" if len(distinct) == 2 else "categorical", "categories": tuple(distinct)}


def constant_columns(inputs: pd.DataFrame) -> tuple[str, ...]:
    """Tidied columns with one value only.

    A missing number takes the median, so that one value and gaps are constant; a missing category says something.
    """
    return tuple(str(column) for column in inputs.columns if inputs[column].nunique(dropna=inputs[column].dtype == float) < 2)


def describe_table(inputs: pd.DataFrame, schema: Schema, labels: NDArray[np.int64]) -> dict[str, Any]:
    """What was found in the input columns of a table: fields of `Cleaning`."""
    used = inputs[[name for name in schema.names if name in inputs.columns]]
    missing = {str(column): int(count) for column, count in used.isna().sum().items() if count}
    return {
        "missing": missing,
        "filled": {name: f"{schema[name].fill}" for name in missing},
        "outliers": {str(name): count for name in used.columns if (count := outliers(used[name]))},
        "outside": outside_bounds(used, schema),
        "constant": tuple(column for column in constant_columns(inputs) if column not in schema.names),
        "notes": (*(note for column in used.columns for note in column_notes(used[column], labels)), *repeated_columns(used)),
    }
