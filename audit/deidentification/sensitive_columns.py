"""Sensitive columns: their values, in their order where it matters, and how they are distributed in all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.deidentification.cells import Cells, numbers_of, read_cells
from audit.deidentification.plan import Column, Diversity
from audit.deidentification.requirements import Sensitive
from classifier.errors import ConfigurationError


def read_sensitive(name: str, column: Column, values: pd.Series[Any]) -> tuple[Sensitive, NDArray[np.int64]]:
    """A sensitive column, and the value of each row, by rank where its values have an order ``(N,)``.

    An empty cell is a value of its own; it has no rank.

    Raises:
        ConfigurationError: If values are to be ordered and one has no place.
        DataError: If values are to be ordered by size and one is no number.
    """
    cells = read_cells(values, name)
    codes = cells.codes
    if column.closeness and column.closeness.distance == "ordered":
        codes = _ranks(name, cells, column.closeness.order)[codes]
    counts = np.bincount(codes)
    return Sensitive(name, len(counts), counts / len(codes), column.diversity, column.closeness), codes


def read_persons(name: str, k: int, values: pd.Series[Any]) -> tuple[Sensitive, NDArray[np.int64]]:
    """The column that tells whose row it is, of which each class needs `k` different values; rows without one count as one person's."""
    cells = read_cells(values, name)
    return Sensitive(name, len(cells.values), cells.counts / len(cells.codes), Diversity(l=k), person=True), cells.codes


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
