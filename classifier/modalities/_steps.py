"""Series as one table of steps, with what is missing filled as stated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.schema import Feature

Cell = NDArray[Any] | pd.DataFrame

INTERPOLATE = "interpolate"


def series_column(frame: pd.DataFrame) -> str:
    """The name of the column that holds the series."""
    found = [str(name) for name in frame.columns if isinstance(frame[name].iloc[0], np.ndarray | pd.DataFrame)] if len(frame) else []
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"there are {len(found)} columns of series, {' and '.join(found)}", remedy="put their variables into one")
    raise DataError(
        f"there is no column of series among {', '.join(map(str, frame.columns))}",
        remedy="of a table with a row for each step, say which columns tell the series and the time: "
        'series = { id = "patient", time = "hour" }',
    )


def series_cells(frame: pd.DataFrame) -> list[Cell]:
    """The series of each row, each with at least one step.

    Raises:
        DataError: If there is no such column or there are two, or a cell is no series.
    """
    cells = list(frame[series_column(frame)])
    for row, cell in enumerate(cells):
        right = isinstance(cell, pd.DataFrame) or (isinstance(cell, np.ndarray) and cell.ndim in (1, 2) and cell.dtype.kind in "buif")
        if not right or len(cell) == 0:
            raise DataError(
                f"the series in row {row} must be numbers (steps, variables), got {str(cell)[:40]!r}", remedy="leave the row out"
            )
    return cells


def join_steps(cells: Sequence[Cell], extent: int) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The first steps of all series, one below the other.

    Args:
        cells: The series.
        extent: How many steps are taken of each at most.

    Returns:
        The steps with their series and their number, from 1, as index; and how many each series has ``(N,)``.
    """
    whole = [cell[:, None] if isinstance(cell, np.ndarray) and cell.ndim == 1 else cell for cell in cells]
    tables: list[Cell] = [cell[:extent] for cell in whole]
    names = _names(tables[0])
    for row, table in enumerate(tables):
        if _names(table) != names:
            raise DataError(
                f"the series in row {row} has the variables {', '.join(_names(table))}, required are {', '.join(names)}",
                remedy="every series needs the same variables in the same order",
            )
    arrays = [table for table in tables if isinstance(table, np.ndarray)]
    if len(arrays) == len(tables):
        steps = pd.DataFrame(np.concatenate(arrays).astype(np.float64), columns=names)
    else:
        steps = pd.concat([pd.DataFrame(table).set_axis(names, axis=1) for table in tables], ignore_index=True)
    lengths = np.array([len(table) for table in tables], dtype=np.int64)
    numbers = np.arange(lengths.sum()) - (lengths.cumsum() - lengths).repeat(lengths) + 1
    return steps.set_axis(pd.MultiIndex.from_arrays([np.arange(len(cells)).repeat(lengths), numbers], names=("series", "step"))), lengths


def _names(table: Cell) -> list[str]:
    if isinstance(table, pd.DataFrame):
        return [str(name) for name in table.columns]
    return ["value"] if table.shape[1] == 1 else [f"variable {index + 1}" for index in range(table.shape[1])]


def require_fill(feature: Feature) -> None:
    """Refuse a stated fill that can stand for no number; `Feature` itself refuses one that is no category.

    Raises:
        ConfigurationError: If it is neither a number nor `INTERPOLATE`.
    """
    if feature.numeric and feature.fill is not None and feature.fill != INTERPOLATE and not _is_number(feature.fill):
        raise ConfigurationError(
            f"the fill of {feature.name!r} must be a number or {INTERPOLATE!r}, got {feature.fill!r}",
            remedy=did_you_mean(feature.fill, [INTERPOLATE]),
        )


def _is_number(value: object) -> bool:
    """Whether a fill is a number, or written like one."""
    try:
        return bool(np.isfinite(float(str(value))))
    except ValueError:
        return False


def fill_steps(column: pd.Series[Any], feature: Feature) -> pd.Series[Any]:
    """A variable without missing values, where it is stated how to fill them."""
    absent = column.isna()
    if not absent.any():
        return column
    series, step = column.index[int(absent.to_numpy().argmax())]
    problem = f"the variable {feature.name!r} lacks {int(absent.sum())} of {len(column)} values, first in series {series}, step {step}"
    if feature.fill is None:
        fill, other = (INTERPOLATE, "a number that stands") if feature.numeric else (feature.categories[0], "another category that stands")
        raise DataError(problem, remedy=f'state features = {{ {feature.name!r} = {{ fill = "{fill}" }} }}, or {other} for them')
    if feature.fill != INTERPOLATE or column.dtype != float:
        return column
    known = column.groupby(level=0).transform("count") > 0
    if not known.all():
        raise DataError(
            f"the variable {feature.name!r} has no value at all in series {column.index[int((~known).to_numpy().argmax())][0]}",
            remedy="leave the series out, or state a number as fill",
        )
    # Between two values along a straight line; before the first and after the last, that value.
    filled = column.groupby(level=0).transform(lambda values: values.reset_index(drop=True).interpolate(limit_direction="both").to_numpy())
    return filled if feature.kind == "continuous" else filled.round()
