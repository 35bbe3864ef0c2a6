"""Streaming: a table that is larger than memory becomes a dataset part by part.

It is read twice. The first pass keeps some rows that show what each column is; the second encodes every row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from classifier.cleaning import MOST_STATED, Cleaning
from classifier.dataset import Dataset
from classifier.errors import DataError
from classifier.formats.tables import PART, table_digest, table_parts
from classifier.grouping import group_notes
from classifier.labels import MOST_CLASSES
from classifier.opening import in_confidence
from classifier.preparation import Reading, duplicates, prepare
from classifier.spelling import EXACT, TRUTH, coded, leading_zeros, numbers_in, spelled, taken_for
from classifier.storage import room
from classifier.suspicions import bounds_notes
from classifier.unfit import MOST_CATEGORIES

# Rows at random, for what is a matter of the middle of a column: medians that fill gaps, quartiles that cut groups.
SAMPLE = 20_000


def read_in_parts(path: Path, reading: Reading, *, rows: int = PART) -> Dataset:
    """The dataset of a table, with one part of it in memory at a time.

    What each column is, bounds, categories and classes are those of all rows with a label. Medians, quartiles and
    notes on columns are those of a sample, and values that lie far out are not counted.

    Args:
        path: The table.
        reading: How it is to be taken.
        rows: Rows a part.

    Raises:
        DataError: If it cannot be used, as :meth:`Dataset.read` says.
    """
    with in_confidence() as confidence:
        dataset = _read(path, reading, rows)
    return replace(dataset, secret=confidence.secret)


def _read(path: Path, reading: Reading, rows: int) -> Dataset:
    some = _SomeRows()
    for frame in _numbered(path, rows):
        some.look(frame, reading)
    if some.read == 0:
        raise DataError(f"{path.name} has no rows")
    if some.labelled == 0:
        raise DataError(f"the target {reading.target!r} has no value in any of {some.read} rows", remedy="is it the right column?")
    telling = some.together()
    pattern = prepare(telling, reading, path.name, whole=False, middle=telling.index.isin(some.sample.index))
    taken = {column: taken_for(telling[column], exact=True) for column in reading.outside(telling)}
    known = replace(reading, schema=pattern.schema, classes=pattern.classes, cuts=pattern.cuts, taken=taken)
    inputs = room((some.labelled, *pattern.schema.shape), pattern.inputs.dtype)
    parts: list[Dataset] = []
    start = 0
    for frame in _numbered(path, rows):
        part = prepare(frame, known, path.name, whole=False)
        inputs[start : start + len(part)] = part.inputs
        # What is kept of a part are its labels and attributes; its inputs lie with the others.
        parts.append(replace(part, inputs=part.inputs[:0]))
        start += len(part)
    labels = torch.cat([part.labels for part in parts])
    dataset = replace(
        pattern,
        inputs=inputs,
        labels=labels,
        ids=np.concatenate([part.ids for part in parts]),
        attributes=pd.concat([part.attributes for part in parts], ignore_index=True),
        source={"name": path.name, "sha256": table_digest(path)},
        cleaning=None,
    )
    return replace(dataset, cleaning=_cleaning(dataset, pattern, parts, some.read))


def _numbered(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    """The parts of a table, with the numbers of their rows in it."""
    start = 0
    for frame in table_parts(path, rows):
        yield frame.rename(columns=str).set_axis(pd.RangeIndex(start, start + len(frame)), axis=0)
        start += len(frame)


@dataclass
class _SomeRows:
    """Rows with a label that show of each column what all rows show, and some at random.

    Args:
        telling: Rows that hold what is rare in a column.
        sample: Rows at random.
        order: The random number of each row of the sample; those with the smallest stay.
        read: Rows looked at.
        labelled: Those with a label.
    """

    telling: pd.DataFrame = field(default_factory=pd.DataFrame)
    sample: pd.DataFrame = field(default_factory=pd.DataFrame)
    order: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    read: int = 0
    labelled: int = 0
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def look(self, part: pd.DataFrame, reading: Reading) -> None:
        """Take in a part of the table."""
        reading.check(part, "the table")
        self.read += len(part)
        part = part[spelled(part[reading.target]).notna()]
        self.labelled += len(part)
        together = pd.concat([self.telling, part])
        rows = {row for name in together for row in _telling(together[name], _most(str(name), reading))}
        self.telling = together.iloc[sorted(rows)]
        drawn, order = pd.concat([self.sample, part]), np.concatenate([self.order, self.generator.random(len(part))])
        kept = np.sort(np.argsort(order, kind="stable")[:SAMPLE])
        self.sample, self.order = drawn.iloc[kept], order[kept]

    def together(self) -> pd.DataFrame:
        """All of them, each once, in the order of the table."""
        both = pd.concat([self.telling, self.sample])
        return both[~both.index.duplicated()].sort_index()


def _most(column: str, reading: Reading) -> int:
    """How many different values of a column can matter, so that one more shows that there are too many."""
    stated = reading.features.get(column, {}).get("kind") == "categorical"
    return 1 + (MOST_CLASSES if column == reading.target else MOST_STATED if stated else MOST_CATEGORIES)


def _telling(column: pd.Series[Any], most: int) -> list[int]:
    """Positions of the smallest and the largest number, the first value of each kind, a gap, and the first of each of `most` values."""
    # What a value tells, its first occurrence tells.
    values = column.reset_index(drop=True)
    values = values[~(values.astype(str) if values.dtype == object else values).duplicated()]
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        present = values.notna().to_numpy()
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        marks = [pd.api.types.is_integer_dtype(values.dtype) & (np.abs(numbers) >= EXACT)]
    else:
        text = spelled(values)
        present, known = text.notna().to_numpy(), text.fillna("")
        numbers = numbers_in(text).to_numpy()
        marks = [
            present & np.isnan(numbers),
            present & ~known.str.lower().isin(TRUTH).to_numpy(),
            leading_zeros(known).to_numpy(),
            coded(known).to_numpy(),
        ]
        values = text
    finite = np.isfinite(numbers)
    marks += [~present, np.isinf(numbers), finite & (numbers != np.round(numbers))]
    places = values.index.to_numpy()
    found = [*values[present].drop_duplicates().index[:most], *(places[mark.argmax()] for mark in marks if mark.any())]
    if finite.any():
        found += [places[np.where(finite, numbers, np.inf).argmin()], places[np.where(finite, numbers, -np.inf).argmax()]]
    return [int(place) for place in found]


def _cleaning(dataset: Dataset, pattern: Dataset, parts: Sequence[Dataset], read: int) -> Cleaning:
    each = [part.cleaning for part in parts if part.cleaning is not None]
    missing = sum((Counter(cleaning.missing) for cleaning in each), Counter[str]())
    outside = sum((Counter(cleaning.outside) for cleaning in each), Counter[str]())
    found, schema = pattern.cleaning, dataset.schema
    return Cleaning(
        rows_read=read,
        rows_without_target=read - len(dataset),
        duplicates=duplicates(dataset.inputs, dataset.labels),
        kinds={feature.name: feature.kind for feature in schema.features},
        missing=dict(missing),
        filled={name: f"{schema[name].fill}" for name in missing},
        constant=found.constant if found is not None else (),
        outside=dict(outside),
        notes=(
            "read in parts: medians, quartiles and what is said of single columns are those of a sample of the rows",
            *(found.notes if found is not None else ()),
            *bounds_notes(outside, schema),
            *group_notes(dataset),
        ),
    )
