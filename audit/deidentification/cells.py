"""Cells: the values of a column as text, each different one once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError

# Half of a pair of UTF-16, which is no character.
_LONE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Cells:
    """A column of text.

    Args:
        codes: Which of `values` each row has ``(N,)``.
        values: The different values ``(D,)``; an empty cell is the value ``""``.
    """

    codes: NDArray[np.int64]
    values: NDArray[np.object_]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many rows have each value ``(D,)``."""
        return np.bincount(self.codes, minlength=len(self.values))

    def first_row(self, wrong: NDArray[np.bool_]) -> int:
        """The first row, from 1, whose value is marked in `wrong` ``(D,)``. Errors name rows: a value may be personal."""
        return int(wrong[self.codes].argmax()) + 1

    def spread(self, labels: NDArray[np.object_]) -> NDArray[np.object_]:
        """What each row gets where each value ``(D,)`` gets one of `labels`; ``None`` for the empty ones."""
        shown = labels.astype(object)
        shown[labels == ""] = None
        return shown[self.codes]


def read_cells(column: pd.Series[Any], name: str) -> Cells:
    """The cells of a column, without blanks around them and in Unicode's composed form, so that equal values are equal text.

    A whole number has no decimal point, whatever type it was stored as, and midnight no time.

    Raises:
        DataError: If cells hold lists or other things that are no single value, or what no file can hold.
    """
    # Among objects 1, 1.0 and True are equal and are written differently: these are written one by one.
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) != "string":
        column = column.map(_written, na_action="ignore").astype(object)
    try:
        codes, values = pd.factorize(column)
    except TypeError as error:
        raise DataError(f"column {name!r} holds cells of several values", remedy="give each of them a column, or drop it") from error
    # Text one by one from where pandas stores it takes long.
    written = values.to_numpy(dtype=object) if isinstance(column.dtype, pd.StringDtype) else [str(_written(value)) for value in values]
    tidied = [normalize("NFC", value).strip() for value in written]
    if (codes < 0).any():
        # A gap has the code -1, which is the last.
        tidied.append("")
    # Two spellings of one value become one.
    again, different = pd.factorize(np.array(tidied, dtype=object))
    cells = Cells(np.asarray(again, dtype=np.int64)[codes], np.asarray(different, dtype=object))
    broken = np.array([not value.isascii() and _LONE.search(value) is not None for value in cells.values], dtype=bool)
    if broken.any():
        raise DataError(f"column {name!r} has half a character in row {cells.first_row(broken)}", remedy="correct this cell")
    return cells


def numbers_of(cells: Cells, name: str) -> NDArray[np.float64]:
    """The number that each value is ``(D,)``; NaN for the empty one.

    Raises:
        DataError: If a value is no finite number.
    """
    numbers = pd.to_numeric(pd.Series(cells.values, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(numbers) & (cells.values != "")
    if wrong.any():
        raise DataError(
            f"column {name!r} must hold finite numbers, and {int(wrong[cells.codes].sum())} rows do not, "
            f"the first of them row {cells.first_row(wrong)}",
            remedy="correct or empty these cells, or take prefixes or a hierarchy",
        )
    return numbers


def _written(value: Any) -> Any:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        # Asked of the text: a time does not hold the nanoseconds and the zone that the release shows.
        return value.isoformat().removesuffix("T00:00:00")
    return value if isinstance(value, list | dict | np.ndarray) else value.isoformat() if isinstance(value, date) else str(value)
