"""Series from files: the ``.ts`` text format of the UEA and UCR archive, arrays, and long tables of steps."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.cleaning import tidy
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.records import sha256
from classifier.tables import read_table

Array = NDArray[Any]

SERIES, LABEL = "series", "label"
_ARRAYS, _LABELS = (SERIES, "x"), ("labels", "y")


def read_series(path: Path) -> tuple[pd.DataFrame, str]:
    """Read series, one row each; its column of series holds arrays (steps, variables).

    Args:
        path: A ``.ts`` file, an ``.npz`` file, or a table with a row for each step, which stays as it is until
            `series_frame` gathers it.

    Returns:
        The rows, and the SHA-256 of the file.

    Raises:
        DataError: If there is nothing to read, or the file is damaged.
    """
    if path.suffix in (".csv", ".tsv", ".parquet"):
        return read_table(path)
    if path.suffix not in (".ts", ".npz"):
        raise DataError(f"{path.name} holds no series that can be read", remedy="give a .ts, .npz, .csv, .tsv or .parquet file")
    if not path.is_file():
        beside = [entry.name for entry in path.parent.glob("*") if entry.is_file()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}", remedy=did_you_mean(path.name, beside))
    content = path.read_bytes()
    return (_read_ts if path.suffix == ".ts" else _read_arrays)(content, path.name), sha256(content)


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
    codes, names = pd.factorize(steps[id])
    order = np.lexsort((_moments(steps[time]), codes))
    codes, moments = codes[order], _moments(steps[time])[order]
    twice = (np.diff(codes) == 0) & (np.diff(moments) == 0)
    if twice.any():
        row = order[int(twice.argmax()) + 1]
        raise DataError(f"the series {steps[id][row]!r} has two steps at {time} {steps[time][row]!r}", remedy="keep one of them")
    first = np.searchsorted(codes, np.arange(len(names)))
    attributes = steps.iloc[order][kept].iloc[first].reset_index(drop=True)
    for column in constant:
        values = steps[column].iloc[order].astype(object).where(lambda v: v.notna(), None).to_numpy()
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


def _moments(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Times as numbers that order alike ``(N,)``."""
    times = tidy(column)
    if times.dtype == float:
        return times.to_numpy()
    try:
        return pd.to_datetime(times, format="ISO8601").astype("int64").to_numpy().astype(np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"column {str(column.name)!r} is no time: {str(error).splitlines()[0]}", remedy="write dates as 2026-01-31"
        ) from error


def _read_arrays(content: bytes, name: str) -> pd.DataFrame:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise DataError(f"{name} is not an .npz file of plain arrays: {error}", remedy="write it with numpy.savez_compressed") from error
    key = next((key for key in _ARRAYS if key in arrays), None)
    if key is None:
        raise DataError(f"{name} has no array 'series' or 'x'", remedy=did_you_mean(SERIES, arrays))
    series = arrays.pop(key)
    if series.ndim not in (2, 3) or series.size == 0:
        raise DataError(f"the array {key!r} of {name} must be (N, steps) or (N, steps, variables), got {series.shape}")
    lengths = arrays.pop("lengths", np.full(len(series), series.shape[1]))
    if lengths.shape != (len(series),) or lengths.min() < 1 or lengths.max() > series.shape[1]:
        raise DataError(f"the array 'lengths' of {name} must hold a number of steps from 1 to {series.shape[1]} for each series")
    columns = {LABEL if key in _LABELS else key: array for key, array in arrays.items() if array.shape == (len(series),)}
    return pd.DataFrame({SERIES: _objects([row[: int(end)] for row, end in zip(series, lengths, strict=True)]), **columns})


def _read_ts(content: bytes, name: str) -> pd.DataFrame:
    """The text format of sktime and aeon: a header of ``@`` lines, then a series a line, dimensions between colons, the class last."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
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
