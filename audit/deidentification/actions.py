"""What is done with one column on its own: keep, pseudonym, generalise to a fixed level, round, suppress."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from audit.deidentification.cells import numbers_of, read_cells
from audit.deidentification.ladder import SUPPRESSED, build_ladder
from audit.deidentification.plan import Column
from audit.deidentification.pseudonyms import column_key, pseudonyms_of
from audit.deidentification.ranges import rounded
from classifier.errors import ConfigurationError


def apply_action(name: str, column: Column, values: pd.Series[Any], *, dataset: str, key: bytes | None) -> Any:
    """The column that is released ``(N,)``: numbers and dates that are kept, else text, ``None`` where a cell is empty.

    Args:
        name: Its name.
        column: What the plan says of it.
        values: The column as it was read ``(N,)``.
        dataset: Name of the data set.
        key: The key of pseudonyms.

    Raises:
        ConfigurationError: If a level is not there.
        DataError: If a cell does not fit.
    """
    if column.action == "keep":
        return tidied(values, name)
    cells = read_cells(values, name)
    if column.action == "pseudonym":
        if key is None:
            raise ConfigurationError(f"{name!r} is to be a pseudonym, and there is no key", remedy="give key=")
        derived = column_key(key, dataset=dataset, column=name, domain=column.domain)
        return cells.spread(pseudonyms_of(cells.values, derived, bits=column.bits))
    if column.action == "round" and column.to is not None:
        numbers_of(cells, name)
        return cells.spread(np.array(rounded(cells.values.tolist(), column.to), dtype=object))
    if column.action == "suppress":
        hidden = np.full(len(cells.values), True) if column.fewer_than is None else cells.counts < column.fewer_than
        # Whether a cell was empty is hidden with the rest.
        return cells.spread(np.where(hidden, SUPPRESSED, cells.values))
    ladder = build_ladder(name, column, cells, top=False)
    if column.level is None and ladder.height > 1:
        raise ConfigurationError(
            f"column {name!r} has {ladder.height} levels and is no quasi-identifier, so that nothing chooses between them",
            remedy="give level, or one level only",
        )
    return ladder.released(cells, fixed_level(name, ladder.height, column.level if column.level is not None else ladder.height))


def tidied(values: pd.Series[Any], name: str) -> Any:
    """A column as it is, without what would tell equal cells apart ``(N,)``.

    Blanks and the composition of letters would make two rows of one class differ; the categories of a categorical column
    hold the values of rows that are left out; a zero may be negative.
    """
    if pd.api.types.is_float_dtype(values.dtype):
        return values + 0.0
    if pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values
    cells = read_cells(values, name)
    return cells.spread(cells.values)


def fixed_level(name: str, height: int, level: int) -> int:
    """A level that a plan names.

    Raises:
        ConfigurationError: If the ladder is not so high.
    """
    if level > height:
        raise ConfigurationError(f"column {name!r} has the levels 0 to {height}, got {level}", remedy="name one of them")
    return level
