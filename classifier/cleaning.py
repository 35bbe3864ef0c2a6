"""From a raw table to features: what each column is, and what had to be said or left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.columns import as_text
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.schema import Feature, Schema

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "?")
MOST_CATEGORIES = 50
MOST_CLASSES = 100
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")


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
    notes: tuple[str, ...] = ()


def tidy(column: pd.Series[Any], *, codes: bool = False) -> pd.Series[Any]:
    """A column with missing values marked, as numbers where all its values are numbers, else as strings.

    Args:
        column: The column as it was read.
        codes: Whether numbers are codes of categories, and so strings.
    """
    if codes:
        return as_text(tidy(column)).astype(object)
    if pd.api.types.is_bool_dtype(column):
        return column.map({True: "yes", False: "no"}).astype(object)
    if pd.api.types.is_complex_dtype(column):
        raise DataError(f"column {str(column.name)!r} holds complex numbers", remedy="give real and imaginary part a column each")
    if pd.api.types.is_numeric_dtype(column):
        return column.astype(float)
    text = column.astype(object)
    text = text.where(text.isna(), text.astype(str).str.strip())
    text = text.where(~text.isin(MISSING), None)
    numbers = pd.to_numeric(text, errors="coerce")
    if text.notna().any() and bool((numbers.notna() | text.isna()).all()):
        return numbers.astype(float)
    return text


def tidy_columns(frame: pd.DataFrame, stated: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """All columns of a table tidied; those stated as categorical hold codes where they hold numbers."""
    codes = {column for column, fields in stated.items() if fields.get("kind") == "categorical"}
    return pd.DataFrame({column: tidy(frame[column], codes=column in codes) for column in frame.columns}, index=frame.index)


def infer_feature(column: pd.Series[Any], overrides: Mapping[str, Any] | None = None) -> Feature:
    """What a tidied column is: a whole number, a number, one of two values, or one of several.

    Args:
        column: A column that :func:`tidy` returned, with at least two different values.
        overrides: Fields of the feature that the user states; what is stated is not inferred.

    Raises:
        DataError: If it holds free text, dates, an identifier, mixed types, or numbers that are not finite.
        ConfigurationError: If `overrides` names a field that a feature does not have.
    """
    name = str(column.name)
    stated = dict(overrides or {})
    for key in stated:
        if key not in (known := [f.name for f in fields(Feature)]):
            raise ConfigurationError(f"feature {name!r} has no field {key!r}", remedy=did_you_mean(key, known))
    if "categories" in stated:
        stated["categories"] = tuple(str(value) for value in stated["categories"])
    present = column.dropna()
    if stated.get("kind") in ("continuous", "integer") and present.dtype != float:
        wrong = present[pd.to_numeric(present, errors="coerce").isna()]
        raise DataError(
            f"column {name!r} is stated as {stated['kind']} but holds {str(wrong.iloc[0])[:40]!r} in row {wrong.index[0]}",
            remedy="correct it, or leave it empty",
        )
    inferred = _infer_number(name, present) if present.dtype == float else _infer_categories(name, present)
    if column.isna().any() and "fill" not in stated:
        # The median, and a category of its own: neither moves what the other rows say.
        if inferred["kind"] in ("categorical",) or inferred.get("categories"):
            inferred |= {"kind": "categorical", "categories": (*inferred["categories"], "(missing)"), "fill": "(missing)"}
        else:
            # The lower median occurs in the data: it is whole where they are, and the majority of two values.
            inferred["fill"] = float(present.quantile(0.5, interpolation="lower"))
    unknown = stated.get("unknown")
    if unknown is not None and inferred.get("categories") and "categories" not in stated and unknown not in inferred["categories"]:
        inferred |= {"kind": "categorical", "categories": (*inferred["categories"], unknown)}
    return Feature(name=name, **{**inferred, **stated})


def _infer_number(name: str, values: pd.Series[Any]) -> dict[str, Any]:
    finite = np.isfinite(values.to_numpy())
    if not finite.all():
        row = values.index[int((~finite).argmax())]
        raise DataError(f"column {name!r} has the non-finite value {values.loc[row]} in row {row}", remedy="correct it, or leave it empty")
    low, high = float(values.min()), float(values.max())
    whole = bool((values == values.round()).all())
    kind = "integer" if whole else "continuous"
    if whole and values.nunique() == 2:
        kind = "binary"
    return {"kind": kind, "low": low, "high": high}


def _infer_categories(name: str, values: pd.Series[Any]) -> dict[str, Any]:
    text = as_text(values)
    distinct = sorted(text.unique())
    if len(distinct) > MOST_CATEGORIES:
        example = str(text.iloc[0])[:40]
        share = pd.to_numeric(text, errors="coerce").notna().mean()
        if text.map(lambda value: bool(_DATE.fullmatch(value))).mean() > 0.9:
            problem, remedy = "dates", f'put "{name}" under drop, or split by it with time = "{name}"'
        elif share > 0.5:
            wrong = text[pd.to_numeric(text, errors="coerce").isna()]
            problem, remedy = "numbers mixed with text", f"correct {str(wrong.iloc[0])[:40]!r} in row {wrong.index[0]}"
            example = str(wrong.iloc[0])[:40]
        elif len(distinct) == len(text) and not text.str.contains(" ").any():
            problem, remedy = "an identifier", f'put "{name}" under drop'
        else:
            problem, remedy = "free text", f'put "{name}" under drop'
        raise DataError(f"column {name!r} holds {problem} ({len(distinct)} different values, such as {example!r})", remedy=remedy)
    return {"kind": "binary" if len(distinct) == 2 else "categorical", "categories": tuple(distinct)}


def looks_like_row_number(column: pd.Series[Any]) -> bool:
    """Whether a numeric column only counts the rows, and so tells nothing of a case."""
    if column.dtype != float or column.isna().any() or len(column) < 20:
        return False
    return bool((column.diff().iloc[1:] == 1).all())


def encode_labels(column: pd.Series[Any], event: str | None, classes: Sequence[str] | None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Turn a tidied target column into class indices ``(N,)`` and the names of the classes, the event last of two.

    Raises:
        DataError: If it has one class only, too many, a continuous value, or one that is not in `classes`.
        ConfigurationError: If `event` is no class.
    """
    numeric = column.dtype == float
    if numeric and (column.nunique() > MOST_CLASSES or not (column == column.round()).all()):
        raise DataError(
            f"the target {column.name!r} is a continuous value ({column.nunique()} different numbers), required are classes",
            remedy="Assay audits classifiers; cut the target into classes first",
        )
    text = as_text(column)
    if numeric and not np.isfinite(column).all():
        row = column.index[int((~np.isfinite(column)).to_numpy().argmax())]
        raise DataError(f"the target {column.name!r} has the non-finite value {column.loc[row]} in row {row}", remedy="correct it")
    found = list(classes) if classes is not None else sorted(text.unique(), key=float if numeric else str)
    if len(found) < 2:
        raise DataError(
            f"the target {column.name!r} has one class only, {found[0] if found else 'none'!r}, required are 2",
            remedy="check that the file is whole",
        )
    if len(found) > MOST_CLASSES:
        raise DataError(
            f"the target {column.name!r} has {len(found)} different values, at most {MOST_CLASSES} can be classes",
            remedy="is it the right column?",
        )
    if event is not None:
        if event not in found:
            raise ConfigurationError(f"the target {column.name!r} has no class {event!r}", remedy=did_you_mean(event, found))
        if len(found) == 2:
            found = [name for name in found if name != event] + [event]
    codes = pd.Index(found, dtype=object).get_indexer(pd.Index(text, dtype=object))
    if (codes < 0).any():
        first = int((codes < 0).argmax())
        raise DataError(
            f"the target {column.name!r} has the unknown class {text.iloc[first]!r} in row {text.index[first]}",
            remedy=f"known are: {', '.join(found)}",
        )
    return codes.astype(np.int64), tuple(found)


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
        "outliers": {str(name): count for name in used.columns if (count := _outliers(used[name]))},
        "constant": tuple(column for column in constant_columns(inputs) if column not in schema.names),
        "notes": tuple(note for column in used.columns for note in _notes(used[column], labels)),
    }


def _notes(column: pd.Series[Any], labels: NDArray[np.int64]) -> list[str]:
    notes = []
    if looks_like_row_number(column):
        notes.append(f"{column.name} only counts the rows; put it under drop")
    elif column.dtype == float and len(column) >= 20 and column.nunique() == len(column) and (column == column.round()).all():
        notes.append(f"{column.name} has another whole number in every row; if it is an identifier, put it under drop")
    if (share := _tells_the_class(column, labels)) is not None:
        notes.append(
            f"{column.name} alone tells the class of {share:.1%} of the rows; if it is known only after the fact, put it under drop"
        )
    return notes


def _tells_the_class(column: pd.Series[Any], labels: NDArray[np.int64]) -> float | None:
    """The share of rows whose class the column alone gives away, where that is nearly all of them."""
    values = pd.cut(column, 20, labels=False, duplicates="drop") if column.dtype == float and column.nunique() > 20 else column
    counts = pd.crosstab(values.fillna("(missing)") if values.dtype == object else values.fillna(-1), labels)
    # As many values as rows tell anything; such a column is an identifier.
    share = float(counts.max(axis=1).sum() / max(1, counts.to_numpy().sum()))
    return share if len(column) >= 50 and len(counts) <= len(column) / 10 and share >= 0.995 else None


def _outliers(column: pd.Series[Any]) -> int:
    """How many numbers lie far out, by Tukey's outer fences."""
    if column.dtype != float:
        return 0
    low, high = column.quantile([0.25, 0.75])
    reach = 3 * (high - low)
    return int(((column < low - reach) | (column > high + reach)).sum()) if reach > 0 else 0
