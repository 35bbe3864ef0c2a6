"""Cells: the values of a column as text, each different one once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError


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
        DataError: If cells hold lists or other things that are no single value.
    """
    # Among objects 1, 1.0 and True are equal and are written differently: these are written one by one.
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) != "string":
        column = column.map(_written, na_action="ignore").astype(object)
    try:
        codes, values = pd.factorize(column)
    except TypeError as error:
        raise DataError(f"column {name!r} holds cells of several values", remedy="give each of them a column, or drop it") from error
    tidied = np.array([normalize("NFC", str(_written(value))).strip() for value in values] + [""], dtype=object)
    # A gap has the code -1, which is the last; two spellings of one value become one.
    again, different = pd.factorize(tidied[codes])
    return Cells(np.asarray(again, dtype=np.int64), np.asarray(different, dtype=object))


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
        return value.isoformat() if value.time() != datetime.min.time() else value.date().isoformat()
    return value if isinstance(value, list | dict | np.ndarray) else value.isoformat() if isinstance(value, date) else str(value)
