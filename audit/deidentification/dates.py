"""Dates as days, months, quarters, years and decades."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.deidentification.cells import Cells
from audit.deidentification.ranges import Bounds
from classifier.errors import DataError

# A whole date, and a time that no level keeps. A year alone has no month that could be shown, and "today" is no date.
_ISO = r"(\d{4})(-?)(\d{2})\2(\d{2})(?:[T ].*)?"


def dates_in(values: NDArray[np.object_], date_format: str | None = None) -> pd.Series[Any]:
    """The dates that are written in text ``(D,)``, as they are in their own time zone; NaT where none is.

    Args:
        values: Text.
        date_format: As ``strptime`` takes it; without one, dates are as ISO 8601 writes them. What could be a day or a
            month is never guessed.
    """
    written = pd.Series(values, dtype=object)
    if date_format is None:
        parts = written.astype(str).str.extract(f"^{_ISO}$")
        return pd.to_datetime(parts[0] + parts[2] + parts[3], format="%Y%m%d", errors="coerce")
    try:
        dates = pd.to_datetime(written.where(written != "", None), format=date_format, errors="coerce")
    except ValueError as error:
        raise DataError(f"dates cannot be read as {date_format!r}: {error}", remedy='write it as date_format = "%d.%m.%Y"') from error
    return dates.dt.tz_localize(None)


def read_dates(cells: Cells, name: str, date_format: str | None) -> pd.Series[Any]:
    """The date that each value of a column is ``(D,)``; NaT for the empty one.

    Raises:
        DataError: If a value is no date.
    """
    dates = dates_in(cells.values, date_format)
    wrong = dates.isna().to_numpy() & (cells.values != "")
    if wrong.any():
        raise DataError(
            f"column {name!r} must hold dates written as {date_format or '2024-03-31'}, and {int(wrong[cells.codes].sum())} rows do not, "
            f"the first of them row {cells.first_row(wrong)}",
            remedy='say how they are written, as date_format = "%d.%m.%Y"',
        )
    return dates


def dates_cut(dates: pd.Series[Any], part: str) -> NDArray[np.object_]:
    """What is left of each date ``(D,)``: ``"2024-03-31"``, ``"2024-03"``, ``"2024-Q1"``, ``"2024"`` or ``"2020s"``; empty for none."""
    if dates.isna().all():
        return np.full(len(dates), "", dtype=object)
    year = dates.dt.year.map("{:04.0f}".format, na_action="ignore")
    if part in ("day", "month"):
        labels = dates.dt.strftime("%Y-%m-%d" if part == "day" else "%Y-%m")
    elif part == "quarter":
        labels = year + "-Q" + dates.dt.quarter.map("{:.0f}".format, na_action="ignore")
    else:
        labels = year if part == "year" else year.str[:3] + "0s"
    return labels.astype(object).where(dates.notna(), "").to_numpy(dtype=object)


def days_of(dates: pd.Series[Any], part: str = "day") -> Bounds:
    """The first day of what is left of each date, and the one after its last, in days since 1970 ``(D,)``; a day is one point."""
    if part == "day":
        first = after = dates.to_numpy().astype("datetime64[D]")
    else:
        # Months since 1970, in which quarters, years and decades start at multiples of their lengths.
        length = {"month": 1, "quarter": 3, "year": 12, "decade": 120}[part]
        months = dates.to_numpy().astype("datetime64[M]").astype(np.int64) // length * length
        first, after = (edge.astype("datetime64[M]").astype("datetime64[D]") for edge in (months, months + length))
    missing = dates.isna().to_numpy()
    low, high = (np.where(missing, np.nan, edge.astype(np.int64).astype(np.float64)) for edge in (first, after))
    return low, high
