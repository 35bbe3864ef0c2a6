"""Columns of text that are no categories: dates, numbers mixed with text, identifiers, free text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from classifier.columns import place
from classifier.errors import DataError
from classifier.spelling import leading_zeros, numbers_in

MOST_CATEGORIES = 50
# From so many rows on, another text in each of them is no accident.
_MANY_ROWS = 20
_DATE = r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2}([T ].*)?)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([T ].*)?"
_DURATION = r"-?\d+ days?(,? .*)?"
_OTHERWISE = r"[-+]?[\d.]*\d,\d+|[-+]?\d[\d.,]*\s*%|[-+]?\d{1,3}(,\d{3})+(\.\d+)?"
_KEEP = 'state kind = "categorical" where each value is a category'


def refuse_unfit(name: str, text: pd.Series[Any]) -> None:
    """Refuse a column of text that would make no good categories.

    Args:
        name: The column's name.
        text: Its values, without gaps.

    Raises:
        DataError: With what it holds, and what to do.
    """
    drop, different = f'put "{name}" under drop', text.drop_duplicates()
    share = text.value_counts(normalize=True).reindex(different).to_numpy()
    # "007" is a code, and stands well beside others.
    numbers = (numbers_in(different).notna() & ~leading_zeros(different)).to_numpy()
    otherwise = different.str.fullmatch(_OTHERWISE).to_numpy(dtype=bool) & ~numbers
    example = different.iloc[0]
    if share[different.str.fullmatch(_DATE).to_numpy(dtype=bool)].sum() > 0.9:
        problem, remedy = "dates", f'{drop}, split by it with time = "{name}", or {_KEEP}'
    elif share[different.str.fullmatch(_DURATION).to_numpy(dtype=bool)].sum() > 0.9:
        problem, remedy = "durations", f"give them as numbers, of days or of seconds, or {drop}"
    elif otherwise.any() and share[otherwise | numbers].sum() > 0.9:
        example = different[otherwise].iloc[0]
        problem = "numbers that are not written as such"
        remedy = f"write 1234.5: a point before decimals, nothing between thousands, no % sign; or {_KEEP}"
    elif numbers.mean() > 0.5:
        where = place(different, int((~numbers).argmax()))
        example = different[~numbers].iloc[0]
        problem, remedy = "numbers mixed with text", f"correct {example[:40]!r} in {where}, or {_KEEP}"
    elif len(different) == len(text) >= _MANY_ROWS or len(different) > MOST_CATEGORIES:
        identifier = len(different) == len(text) and not text.str.contains(" ").any()
        problem, remedy = "an identifier" if identifier else "free text", f"{drop}, or {_KEEP}"
    else:
        return
    raise DataError(f"column {name!r} holds {problem} ({len(different)} different values, such as {example[:40]!r})", remedy=remedy)


def refuse_nested(name: str, column: pd.Series[Any]) -> None:
    """Refuse a column whose cells hold several values each.

    Raises:
        DataError: With the first such cell.
    """
    if column.dtype != object or pd.api.types.infer_dtype(column, skipna=True) == "string":
        return
    for position, value in enumerate(column):
        if isinstance(value, dict | list | tuple | set | np.ndarray):
            raise DataError(
                f"column {name!r} holds several values in one cell, {str(value)[:40]!r} in {place(column, position)}",
                remedy=f'give each a column of its own, or put "{name}" under drop',
            )
