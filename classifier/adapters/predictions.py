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
from classifier.formats.tables import read_table


def read_predictions(
    path: str | Path, dataset: Dataset, *, columns: Mapping[str, str] | None = None, case: str | None = None, target: str | None = None
) -> Tensor:
    """Read the probabilities that were predicted for the rows of a dataset.

    Args:
        path: A CSV or Parquet file with a column of probabilities for each class or, of two classes, for the event.
        dataset: The rows that were predicted.
        columns: The column of a class, where it is not named like the class.
        case: The column, in this file and in the data, that tells which case a row is; without one, the rows of the two
            files must be the same ones in the same order.
        target: The column of labels in the data. It and every other column that both files have must agree.

    Returns:
        Probabilities ``(N, K)``, in the order of the dataset's classes.

    Raises:
        DataError: If a column, a case or a value is missing, a row is no probabilities, or the files disagree about a row.
    """
    path = Path(path)
    frame, _ = read_table(path)
    frame = frame.rename(columns=str)
    rows = _rows(frame, dataset, path.name, case)
    found = _columns(dataset.classes, frame, columns or {}, path.name, target)
    _require_same_rows(frame.drop(columns=found).iloc[rows], dataset, path.name, case, target)
    numbers = np.stack([_numbers(frame[column], path.name) for column in found], axis=1)[rows]
    given = numbers
    if len(found) == 1:
        numbers = np.concatenate([1 - numbers, numbers], axis=1)
    wrong = (numbers < 0).any(1) | (numbers > 1).any(1) | (np.abs(numbers.sum(1) - 1) > 1e-3)
    if wrong.any():
        first = int(wrong.argmax())
        shown = ", ".join(f"{value:g} as {column}" for column, value in zip(found, given[first], strict=True))
        required = "are numbers from 0 to 1 that sum to 1" if len(found) > 1 else "is a number from 0 to 1"
        raise DataError(
            f"{path.name} has no probabilities in row {rows[first]}: {shown}, required {required}",
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


def _columns(classes: Sequence[str], frame: pd.DataFrame, stated: Mapping[str, str], name: str, target: str | None) -> list[str]:
    """The columns to read: one a class, or that of the event alone."""
    present = list(frame.columns)
    for known in stated:
        if known not in classes:
            raise DataError(f"there is no class {known!r}", remedy=did_you_mean(known, classes))
    wanted = [stated.get(label, label) for label in classes]
    absent = [column for column in wanted if column not in present]
    if not absent:
        return wanted
    if len(classes) == 2 and wanted[1] in present:
        return wanted[1:]
    _refuse_decisions(frame.drop(columns=[target], errors="ignore"), classes, name)
    raise DataError(
        f"{name} has no column {absent[-1]!r} with the probability of that class",
        remedy='name it: [model.columns] "class" = "column"; there are: ' + ", ".join(present),
    )


def _refuse_decisions(frame: pd.DataFrame, classes: Sequence[str], name: str) -> None:
    """Say so where a file holds the classes that were decided for, in place of how probable each is."""
    for column in frame.columns:
        values = set(as_text(tidy(frame[column])).dropna())
        if values and values <= set(classes):
            raise DataError(
                f"{name} holds decisions alone, in the column {column!r}; labels are not enough",
                remedy="give the probability of each class, or of the event: what is measured needs more than which class was chosen",
            )


def _require_same_rows(frame: pd.DataFrame, dataset: Dataset, name: str, case: str | None, target: str | None) -> None:
    """Refuse predictions whose other columns say that they are of other rows.

    Args:
        frame: The columns of the file that are no predictions, a row for each of the dataset.
        dataset: The rows that were predicted.
        name: The file, in an error.
        case: The column that tells the case.
        target: The column of labels.
    """
    known = {column: dataset.attributes[column] for column in dataset.attributes.columns if column != case}
    if dataset.schema.modality == "tabular" and dataset.schema.features:
        decoded = dataset.schema.decode(dataset.inputs)
        known |= {column: decoded[column] for column in decoded.columns}
    if target is not None:
        known[target] = pd.Series(np.array(dataset.classes, dtype=object)[dataset.labels.numpy()])
    for column in frame.columns.intersection(list(known)):
        own, other = tidy(frame[column], exact=True).reset_index(drop=True), known[column].reset_index(drop=True)
        if other.dtype == float and bool((pd.to_numeric(own, errors="coerce").notna() == own.notna()).all()):
            own = pd.to_numeric(own)
        if own.dtype == float and other.dtype == float:
            # Encoded numbers have seven digits, of the column's range.
            agrees = np.isclose(own, other, rtol=1e-5, atol=1e-5 * float(np.nan_to_num(other.max() - other.min())))
        else:
            agrees = (as_text(own) == as_text(other)).to_numpy()
        wrong = ~(agrees | own.isna().to_numpy() | other.isna().to_numpy())
        if wrong.any():
            first = int(wrong.argmax())
            raise DataError(
                f"{name} and the data differ in {int(wrong.sum())} of {len(wrong)} rows of {column!r}, first in row {dataset.ids[first]}: "
                f"{own.iloc[first]} and {other.iloc[first]}",
                remedy='name the column that tells the case, [model] id = "column", or leave that column out of the predictions',
            )


def _numbers(column: pd.Series[Any], name: str) -> Any:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"{name} holds {str(column.iloc[first])!r} as a probability, in column {column.name!r} and row {first}",
            remedy="give numbers from 0 to 1; labels are not enough",
        )
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
    # As text, and numbers as they are written where they are long or begin with 0: of two cases none may become one.
    known = pd.Index(as_text(tidy(frame[case], exact=True)), dtype=object)
    if known.has_duplicates:
        raise DataError(f"{name} has the case {known[known.duplicated()][0]!r} twice", remedy="give each case one row")
    rows = known.get_indexer(pd.Index(as_text(dataset.column(case)), dtype=object))
    if (rows < 0).any():
        raise DataError(f"{name} has no row for the case {str(dataset.column(case).iloc[int((rows < 0).argmax())])!r}")
    return rows
