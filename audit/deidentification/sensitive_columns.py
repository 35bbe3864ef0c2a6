"""Sensitive columns: their values, in their order where it matters, and how they are distributed in all rows."""

from __future__ import annotations

from typing import Any
from unicodedata import category, normalize

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.deidentification.cells import Cells, numbers_of, read_cells
from audit.deidentification.plan import Column, Diversity
from audit.deidentification.requirements import Sensitive
from classifier.errors import ConfigurationError


def read_sensitive(name: str, column: Column, values: pd.Series[Any]) -> tuple[Sensitive, NDArray[np.int64]]:
    """A sensitive column, and the value of each row, by rank where its values have an order ``(N,)``.

    Spellings that differ in case, in characters that do not show, or as ``1`` and ``1.0`` do, are one value: they tell the same.
    An empty cell is a value of its own; it has no rank, and does not count as varied.

    Raises:
        ConfigurationError: If values are to be ordered and one has no place.
        DataError: If values are to be ordered by size and one is no number.
    """
    cells = read_cells(values, name)
    if column.closeness and column.closeness.distance == "ordered":
        codes, empty = _ranks(name, cells, column.closeness.order)[cells.codes], None
        # What is named and does not occur has its place too, and lies between others or beyond them.
        counts = np.bincount(codes, minlength=len(column.closeness.order))
    else:
        places, meanings = pd.factorize(np.array([_meaning(value) for value in cells.values], dtype=object))
        empty = next((place for place, meaning in enumerate(meanings) if not meaning), None)
        codes = np.asarray(places, dtype=np.int64)[cells.codes]
        counts = np.bincount(codes)
    return Sensitive(name, len(counts), counts / len(codes), column.diversity, column.closeness, empty=empty), codes


def read_persons(name: str, k: int, values: pd.Series[Any]) -> tuple[Sensitive, NDArray[np.int64]]:
    """The column that tells whose row it is, of which each class needs `k` different values; rows without one count as one person's."""
    cells = read_cells(values, name)
    return Sensitive(name, len(cells.values), cells.counts / len(cells.codes), Diversity(l=k), person=True), cells.codes


def _meaning(value: str) -> str:
    """A value without what tells its readers nothing."""
    try:
        return repr(float(value) + 0.0)
    except ValueError:
        shown = "".join(character for character in normalize("NFKC", value) if category(character) != "Cf")
        return " ".join(shown.casefold().split())


def _ranks(name: str, cells: Cells, order: tuple[str, ...]) -> NDArray[np.int64]:
    """The rank of each value ``(D,)``: among all that are named, or among the numbers that there are."""
    wrong = cells.values == ""
    if order:
        places = {value: rank for rank, value in enumerate(order)}
        wrong |= np.array([value not in places for value in cells.values], dtype=bool)
    if wrong.any():
        raise ConfigurationError(
            f"column {name!r} is ordered, and {int(wrong[cells.codes].sum())} rows have a value without a place, "
            f"the first of them row {cells.first_row(wrong)}",
            remedy='name every value in order, fill empty cells, or take distance = "equal"',
        )
    if order:
        return np.array([places[value] for value in cells.values], dtype=np.int64)
    return np.unique(numbers_of(cells, name), return_inverse=True)[1].astype(np.int64)
