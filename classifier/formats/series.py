"""Series from files: the ``.ts`` text format of the UEA and UCR archive, arrays, and long tables of steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.cleaning import tidy
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.formats.arrays import LABEL, columns_of, read_arrays
from classifier.formats.names import names_of
from classifier.formats.tables import read_table
from classifier.opening import plain_name, read_file

Array = NDArray[Any]

SERIES = "series"


def read_series(path: Path) -> tuple[pd.DataFrame, str]:
    """Read series, one row each; its column of series holds arrays (steps, variables).

    Args:
        path: A ``.ts`` file, an ``.npz`` file, or a table with a row for each step, which stays as it is until
            `series_frame` gathers it; each also sealed.

    Returns:
        The rows, and the SHA-256 of the file.

    Raises:
        DataError: If there is nothing to read, or the file is damaged.
    """
    kind = plain_name(path).suffix
    if kind in (".csv", ".tsv", ".parquet"):
        return read_table(path)
    if kind not in (".ts", ".npz"):
        raise DataError(f"{path.name} holds no series that can be read", remedy="give a .ts, .npz, .csv, .tsv or .parquet file")
    if not path.is_file():
        beside = [entry.name for entry in path.parent.glob("*") if entry.is_file()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}", remedy=did_you_mean(path.name, beside))
    content, digest = read_file(path)
    return (_read_ts if kind == ".ts" else _read_arrays)(content, path.name), digest


def series_frame(steps: pd.DataFrame, *, id: str, time: str, keep: Sequence[str] = (), constant: Sequence[str] = ()) -> pd.DataFrame:
    """Gather a table of steps into a table of series.

    Args:
        steps: One row a step.
        id: The column that tells which series a step belongs to.
        time: The column to order the steps by: numbers, or dates written as 2026-01-31.
        keep: Columns of the series and not of its steps: the target, attributes, what to split by. A series has
            the value of its first step.
        constant: Those of them that must have one value in a series.

    Returns:
        One row a series in the order in which they occur: what is kept, and a column ``"series"`` of tables of
        all other columns, one row a step.

    Raises:
        ConfigurationError: If a column is named that is not there.
        DataError: If an id or a time is missing, a time occurs twice in a series, or a value that must be constant is not.
    """
    steps = steps.rename(columns=str).reset_index(drop=True)
    for column in (id, time, *keep, *constant):
        if column not in steps.columns:
            raise ConfigurationError(f"the table of steps has no column {column!r}", remedy=did_you_mean(column, steps.columns))
    kept = list(dict.fromkeys((*keep, *constant)))
    for column in (id, time):
        absent = tidy(steps[column]).isna().to_numpy()
        if absent.any():
            raise DataError(f"column {column!r} lacks a value in row {int(absent.argmax())}", remedy="every step needs a series and a time")
    codes, names = pd.factorize(names_of(steps[id]))
    moments = _moments(steps[time])
    order = np.lexsort((moments, codes))
    codes, moments = codes[order], moments[order]
    twice = (codes[1:] == codes[:-1]) & (moments[1:] == moments[:-1])
    if twice.any():
        row = order[int(twice.argmax()) + 1]
        raise DataError(
            f"the series {names[codes[int(twice.argmax())]]!r} has two steps at {time} {steps[time][row]!r}", remedy="keep one of them"
        )
    first = np.searchsorted(codes, np.arange(len(names)))
    attributes = steps.iloc[order][kept].iloc[first].reset_index(drop=True)
    for column in constant:
        values = tidy(steps[column]).iloc[order].astype(object).where(lambda v: v.notna(), None).to_numpy()
        differs = values != values[first][codes]
        if differs.any():
            series = names[codes[int(differs.argmax())]]
            raise DataError(
                f"column {column!r} changes within the series {series!r}, required is one value for each series",
                remedy=f"one series is one case; is {id!r} the column that tells the cases apart?",
            )
    variables = steps.drop(columns=list(dict.fromkeys((id, time, *kept)))).iloc[order].reset_index(drop=True)
    variables = pd.DataFrame({column: tidy(variables[column]) for column in variables.columns})
    cells = np.empty(len(names), dtype=object)
    for index, (start, end) in enumerate(zip(first, [*first[1:], len(steps)], strict=True)):
        cells[index] = variables.iloc[start:end].reset_index(drop=True)
    return attributes.assign(**{SERIES: pd.Series(cells, dtype=object)})


def _moments(column: pd.Series[Any]) -> NDArray[Any]:
    """Times as numbers that order alike ``(N,)``: whole where they can be, since a float holds no nanoseconds of today."""
    times = tidy(column)
    if times.dtype == float:
        numeric = pd.api.types.is_numeric_dtype(column)
        return (column if numeric else pd.to_numeric(column.astype(str).str.strip())).to_numpy()
    try:
        return pd.to_datetime(times, format="ISO8601").astype("int64").to_numpy()
    except (ValueError, TypeError) as error:
        raise DataError(
            f"column {str(column.name)!r} is no time: {str(error).splitlines()[0]}", remedy="write dates as 2026-01-31"
        ) from error


def _read_arrays(content: bytes, name: str) -> pd.DataFrame:
    key, series, others = read_arrays(content, name, (SERIES, "x"))
    if series.ndim not in (2, 3) or series.size == 0:
        raise DataError(f"the array {key!r} of {name} must be (N, steps) or (N, steps, variables), got {series.shape}")
    lengths = others.pop("lengths", np.full(len(series), series.shape[1]))
    whole = lengths.shape == (len(series),) and lengths.dtype.kind in "iuf" and (lengths == np.round(lengths)).all()
    if not whole or lengths.min() < 1 or lengths.max() > series.shape[1]:
        raise DataError(
            f"the array 'lengths' of {name} must hold a whole number of steps from 1 to {series.shape[1]} for each series, "
            f"got {lengths.ravel()[:4]!s} {lengths.shape}"
        )
    cells = [row[: int(end)] for row, end in zip(series, lengths, strict=True)]
    return pd.DataFrame({SERIES: _objects(cells), **columns_of(others, len(series), name)})


def _read_ts(content: bytes, name: str) -> pd.DataFrame:
    """The text format of sktime and aeon: a header of ``@`` lines, then a series a line, dimensions between colons, the class last."""
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text (byte {error.start})", remedy="save it as UTF-8") from error
    cells: list[Array] = []
    labels: list[str] = []
    header: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("@"):
            key, _, value = line[1:].partition(" ")
            header[key.lower()] = value.strip().lower()
        elif "data" not in header:
            raise DataError(f"{name} has values in line {number} before @data", remedy="is it a .ts file?")
        else:
            *dimensions, label = line.split(":")
            values = [_numbers(dimension, f"line {number} of {name}") for dimension in dimensions]
            if len({len(value) for value in values}) != 1 or (cells and len(values) != cells[0].shape[1]):
                raise DataError(
                    f"line {number} of {name} has dimensions of {', '.join(str(len(v)) for v in values) or 'no'} steps",
                    remedy="every dimension of a series needs as many steps, and every series as many dimensions",
                )
            cells.append(np.stack(values, axis=1))
            labels.append(label.strip())
        if header.get("timestamps", "false") == "true":
            raise DataError(f"{name} holds time stamps", remedy="write it as a long table with a column for the time")
        if "data" in header and not header.get("classlabel", "").startswith("true"):
            raise DataError(f"{name} holds no classes: its header has no '@classLabel true'", remedy="Assay audits classifiers")
    if not cells:
        raise DataError(f"{name} has no series", remedy="they follow a line '@data'")
    return pd.DataFrame({SERIES: _objects(cells), LABEL: labels})


def _numbers(text: str, where: str) -> Array:
    try:
        return np.array([np.nan if value.strip() in ("?", "NaN") else float(value) for value in text.split(",")])
    except ValueError as error:
        raise DataError(
            f"{where} must hold numbers, got {str(error).rpartition(': ')[2]}", remedy="a missing value is written ?"
        ) from error


def _objects(arrays: list[Array]) -> pd.Series[Any]:
    """A column whose cells are arrays."""
    column = np.empty(len(arrays), dtype=object)
    column[:] = arrays
    return pd.Series(column, dtype=object)
