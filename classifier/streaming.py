"""Streaming: a table that is larger than memory becomes a dataset part by part.

It is read twice. The first pass keeps some rows that show what each column is; the second encodes every row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from classifier.cleaning import MOST_CATEGORIES, Cleaning
from classifier.dataset import Dataset
from classifier.errors import DataError
from classifier.grouping import require_sizes
from classifier.preparation import Reading, duplicates, prepare
from classifier.storage import room
from classifier.tables import PART, table_digest, table_parts

# Rows at random, for what is a matter of the middle of a column: medians that fill gaps, quartiles that cut groups.
SAMPLE = 20_000


def read_in_parts(path: Path, reading: Reading, *, rows: int = PART) -> Dataset:
    """The dataset of a table, with one part of it in memory at a time.

    Bounds, categories and classes are those of all rows. Medians and quartiles are those of a sample, and
    values that lie far out are not counted.

    Args:
        path: The table.
        reading: How it is to be taken.
        rows: Rows a part.

    Raises:
        DataError: If it cannot be used, as :meth:`Dataset.read` says.
    """
    telling, count = _telling_rows(table_parts(path, rows))
    pattern = prepare(telling, reading, path.name, whole=False)
    known = replace(reading, schema=pattern.schema, classes=pattern.classes, cuts=pattern.cuts)
    inputs = room((count, *pattern.schema.shape), pattern.inputs.dtype)
    parts: list[Dataset] = []
    start = read = 0
    for frame in table_parts(path, rows):
        part = prepare(frame, known, path.name, whole=False)
        inputs[start : start + len(part)] = part.inputs
        # What is kept of a part are its labels and attributes; its inputs lie with the others.
        parts.append(replace(part, inputs=part.inputs[:0], ids=part.ids + read))
        start, read = start + len(part), read + len(frame)
    labels = torch.cat([part.labels for part in parts])
    dataset = replace(
        pattern,
        inputs=inputs[:start],
        labels=labels,
        ids=np.concatenate([part.ids for part in parts]),
        attributes=pd.concat([part.attributes for part in parts], ignore_index=True),
        source={"name": path.name, "sha256": table_digest(path)},
        cleaning=_cleaning(pattern, parts, read, inputs[:start], labels),
    )
    for attribute in reading.protected:
        require_sizes(attribute, dataset.groups(attribute))
    return dataset


def _telling_rows(parts: Iterable[pd.DataFrame]) -> tuple[pd.DataFrame, int]:
    """Rows that show of each column what all rows show, with some at random, and how many rows there are."""
    telling, sample, count = pd.DataFrame(), pd.DataFrame(), 0
    generator = np.random.default_rng(0)
    for part in parts:
        together = pd.concat([telling, part], ignore_index=True)
        telling = together.iloc[sorted({row for column in together for row in _extremes(together[column])})]
        # Every row gets a number at random, and those with the smallest stay.
        drawn = pd.concat([sample, part.assign(**{"(order)": generator.random(len(part))})], ignore_index=True)
        sample = drawn.nsmallest(SAMPLE, "(order)")
        count += len(part)
    if count == 0:
        raise DataError("the table has no rows")
    return pd.concat([telling, sample.drop(columns="(order)")], ignore_index=True), count


def _extremes(column: pd.Series[Any]) -> list[int]:
    """Positions of the smallest and the largest number, a broken one, a gap, and the first of each of the first values."""
    values = column.reset_index(drop=True)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
    found = list(values.drop_duplicates().index[: 2 * MOST_CATEGORIES])
    marks = [~np.isfinite(numbers), np.isfinite(numbers) & (numbers != np.round(numbers)), values.isna().to_numpy()]
    found += [int(mark.argmax()) for mark in marks if mark.any()]
    if np.isfinite(numbers).any():
        finite = np.where(np.isfinite(numbers), numbers, np.nan)
        found += [int(np.nanargmin(finite)), int(np.nanargmax(finite))]
    return found


def _cleaning(pattern: Dataset, parts: list[Dataset], read: int, inputs: torch.Tensor, labels: torch.Tensor) -> Cleaning:
    each = [part.cleaning for part in parts if part.cleaning is not None]
    missing = sum((Counter(cleaning.missing) for cleaning in each), Counter())
    return Cleaning(
        rows_read=read,
        rows_without_target=read - len(labels),
        duplicates=duplicates(inputs, labels),
        kinds={feature.name: feature.kind for feature in pattern.schema.features},
        missing=dict(missing),
        filled={name: f"{pattern.schema[name].fill}" for name in missing},
        constant=pattern.cleaning.constant if pattern.cleaning is not None else (),
        notes=("read in parts: medians and quartiles are those of a sample of the rows",),
    )
