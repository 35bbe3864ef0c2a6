"""Spelling: how the values of a column are written, and whether they are numbers, truth values or text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "?")
# What true and false are called, whether a file holds truth values or these words.
TRUTH = {"true": "yes", "false": "no"}
# From here on, not every whole number is a 64-bit one.
EXACT = 2**53

Taken = Literal["number", "truth", "text"]


def spelled(column: pd.Series[Any]) -> pd.Series[Any]:
    """The values of a column as text, without blanks around them; whole numbers have no decimal point, gaps are ``None``."""
    text = column.astype(object)
    if pd.api.types.infer_dtype(text, skipna=True) != "string":
        text = text.map(_word, na_action="ignore").astype(object)
    # A column has fewer different values than rows, and each is looked at once.
    places, values = pd.factorize(text)
    words = pd.Series(values, dtype=object).str.strip().astype(object)
    words = words.where(~words.isin(MISSING), None)
    # A gap has the place -1, which is the last.
    found: Any = np.array([*words, None], dtype=object)[places]
    return pd.Series(found, index=column.index, name=column.name, dtype=object)


def numbers_in(text: pd.Series[Any]) -> pd.Series[Any]:
    """The numbers that are written in a column of text; NaN where there is none."""
    return pd.to_numeric(text, errors="coerce").astype(float)


def coded(text: pd.Series[Any]) -> pd.Series[Any]:
    """Whether each text looks like a number and would be another as one: it has leading zeros, or is whole and too large."""
    found = leading_zeros(text)
    large = numbers_in(text).abs() >= EXACT
    found[large] |= text[large].str.fullmatch(r"[+-]?\d+").astype(bool)
    return found


def leading_zeros(text: pd.Series[Any]) -> pd.Series[Any]:
    """Whether each text is written as codes are and numbers are not: ``"007"``."""
    return text.str.match(r"[+-]?0\d").fillna(False).astype(bool)


def taken_for(column: pd.Series[Any], *, exact: bool = False) -> Taken:
    """What the values of a column are: all numbers, all true or false, or text.

    Args:
        column: The column as it was read.
        exact: Whether numbers that are coded are text, so that no two of them become one.
    """
    if pd.api.types.is_bool_dtype(column.dtype):
        return "truth"
    if pd.api.types.is_numeric_dtype(column.dtype):
        large = pd.api.types.is_integer_dtype(column.dtype) and bool(((column >= EXACT) | (column <= -EXACT)).any())
        return "text" if exact and large else "number"
    return text_taken_for(spelled(column), exact=exact)


def text_taken_for(text: pd.Series[Any], *, exact: bool = False) -> Taken:
    """The same of a column that :func:`spelled` returned."""
    present = text.dropna().drop_duplicates()
    if present.empty:
        return "text"
    if present.iloc[0].lower() in TRUTH and present.str.lower().isin(TRUTH).all():
        return "truth"
    if numbers_in(present).isna().any():
        return "text"
    return "text" if exact and bool(coded(present).any()) else "number"


def named(column: pd.Series[Any], names: Iterable[str], *, numbers: bool = False) -> pd.Series[Any]:
    """The values of a column as they are called among `names`, else as they are written.

    Args:
        column: The column as it was read.
        names: Names of categories or classes.
        numbers: Whether a name may stand for a number, however that is written: ``"1"`` for ``"1.0"``.
    """
    known, text = set(names), spelled(column)
    called = {}
    for value in text.dropna().unique():
        others = (value, TRUTH.get(value.lower()), _plain(value) if numbers else None)
        called[value] = next((other for other in others if other in known), value)
    found = text.map(called).astype(object)
    return found.where(found.notna(), None)


def _word(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _plain(value: str) -> str | None:
    """A whole number without its decimal point, unless it is written as a code."""
    text = pd.Series([value], dtype=object)
    if text_taken_for(text, exact=True) != "number":
        return None
    number = float(numbers_in(text).iloc[0])
    return str(int(number)) if number.is_integer() else None
