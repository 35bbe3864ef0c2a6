"""Hierarchies of values: from each value to ever wider ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.deidentification.cells import Cells, read_cells
from classifier.errors import DataError
from classifier.formats.tables import read_table


def read_hierarchy(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a table whose first column holds the values and each further one a level, with a header line.

    Raises:
        DataError: If it is no such table, a value stands in it twice, or a cell is empty.
    """
    frame, _ = read_table(path)
    if frame.shape[1] < 2:
        raise DataError(f"{path.name} has one column, required are a value and its levels", remedy="write: value,level1,level2")
    columns = [read_cells(frame[name], str(name)) for name in frame.columns]
    rows = [tuple(str(value) for value in row) for row in zip(*(cells.values[cells.codes] for cells in columns), strict=True)]
    table = {value: levels for value, *levels in rows}
    if len(table) < len(rows):
        raise DataError(f"{path.name} gives a value twice", remedy="give each value one line")
    if any(not cell for row in rows for cell in row):
        raise DataError(f"{path.name} has an empty cell", remedy="give each value all its levels; an empty cell of the data needs no line")
    return {value: tuple(levels) for value, levels in table.items()}


def hierarchy_steps(name: str, table: Mapping[str, tuple[str, ...]], cells: Cells) -> list[tuple[str, NDArray[np.object_]]]:
    """The levels of a hierarchy, from low to high: a name, and a label for each value ``(D,)``.

    Raises:
        DataError: If a value of the column has no line in it, or lines have different numbers of levels.
    """
    if len({len(levels) for levels in table.values()}) > 1:
        raise DataError(f"the hierarchy of {name!r} has lines with different numbers of levels", remedy="give each value all levels")
    unknown = np.array([value not in table and value != "" for value in cells.values], dtype=bool)
    if unknown.any():
        raise DataError(
            f"the hierarchy of {name!r} lacks {int(unknown.sum())} values, the first of them in row {cells.first_row(unknown)}",
            remedy="add a line for each",
        )
    height = len(next(iter(table.values()), ()))
    return [
        (f"level {level + 1}", np.array([table[value][level] if value else "" for value in cells.values], dtype=object))
        for level in range(height)
    ]
