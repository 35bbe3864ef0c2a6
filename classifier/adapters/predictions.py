"""A file of predictions alone: probabilities for the rows of a dataset, where the classifier itself is not at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from classifier.cleaning import tidy
from classifier.columns import as_text
from classifier.dataset import Dataset
from classifier.errors import DataError, did_you_mean
from classifier.tables import read_table


def read_predictions(path: str | Path, dataset: Dataset, *, columns: Mapping[str, str] | None = None, case: str | None = None) -> Tensor:
    """Read the probabilities that were predicted for the rows of a dataset.

    Args:
        path: A CSV or Parquet file with a column of probabilities for each class or, of two classes, for the event.
        dataset: The rows that were predicted.
        columns: The column of a class, where it is not named like the class.
        case: The column, in this file and in the data, that tells which case a row is; without one, the rows of the two
            files must be the same ones in the same order.

    Returns:
        Probabilities ``(N, K)``, in the order of the dataset's classes.

    Raises:
        DataError: If a column, a case or a value is missing, or a row is no probabilities.
    """
    path = Path(path)
    frame, _ = read_table(path)
    frame = frame.rename(columns=str)
    rows = _rows(frame, dataset, path.name, case)
    found = _columns(dataset.classes, list(frame.columns), columns or {}, path.name)
    numbers = np.stack([_numbers(frame[column], path.name) for column in found], axis=1)[rows]
    if len(found) == 1:
        numbers = np.concatenate([1 - numbers, numbers], axis=1)
    wrong = (numbers < 0).any(1) | (numbers > 1).any(1) | (np.abs(numbers.sum(1) - 1) > 1e-3)
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"{path.name} has no probabilities in row {rows[first]}: {', '.join(f'{value:g}' for value in numbers[first])}, "
            "required are numbers from 0 to 1 that sum to 1",
            remedy="give probabilities, not scores or decisions",
        )
    return torch.from_numpy(numbers)


def prediction_columns(frame: pd.DataFrame, *, target: str, columns: Mapping[str, str], case: str | None) -> tuple[str, ...]:
    """The columns of a table that hold predictions or name the case, and so are no inputs.

    Args:
        frame: The table.
        target: Its column of labels.
        columns: The column of a class, where it is not named like the class.
        case: The column that names the case.
    """
    labels = set(as_text(tidy(frame[target])).dropna()) if target in frame.columns else set()
    return tuple(column for column in frame.columns if column != target and column in {*labels, *columns.values(), case})


def _columns(classes: Sequence[str], present: Sequence[str], stated: Mapping[str, str], name: str) -> list[str]:
    """The columns to read: one a class, or that of the event alone."""
    for known in stated:
        if known not in classes:
            raise DataError(f"there is no class {known!r}", remedy=did_you_mean(known, classes))
    wanted = [stated.get(label, label) for label in classes]
    absent = [column for column in wanted if column not in present]
    if not absent:
        return wanted
    if len(classes) == 2 and wanted[1] in present:
        return wanted[1:]
    raise DataError(
        f"{name} has no column {absent[-1]!r} with the probability of that class",
        remedy='name it: [model.columns] "class" = "column"; there are: ' + ", ".join(present),
    )


def _numbers(column: pd.Series[Any], name: str) -> Any:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(f"{name} holds {str(column.iloc[first])!r} as a probability, in column {column.name!r} and row {first}")
    return numbers


def _rows(frame: pd.DataFrame, dataset: Dataset, name: str, case: str | None) -> Any:
    """For each row of the dataset, the row of the file."""
    if case is None:
        expected = dataset.cleaning.rows_read if dataset.cleaning is not None else len(dataset)
        if len(frame) != expected:
            raise DataError(
                f"{name} has {len(frame)} rows, the data have {expected}",
                remedy='name the column that tells the case: [model] id = "column"',
            )
        return dataset.ids
    if case not in frame.columns:
        raise DataError(f"{name} has no column {case!r}", remedy=did_you_mean(case, frame.columns))
    known = pd.Index(as_text(tidy(frame[case])), dtype=object)
    if known.has_duplicates:
        raise DataError(f"{name} has the case {known[known.duplicated()][0]!r} twice", remedy="give each case one row")
    rows = known.get_indexer(pd.Index(as_text(dataset.column(case)), dtype=object))
    if (rows < 0).any():
        raise DataError(f"{name} has no row for the case {str(dataset.column(case).iloc[int((rows < 0).argmax())])!r}")
    return rows
