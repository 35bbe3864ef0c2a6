"""The quasi-identifiers of a table: their values, their levels, and the classes of rows at any levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.deidentification.actions import fixed_level, tidied
from audit.deidentification.cells import Cells, read_cells
from audit.deidentification.classes import Classes, group_rows
from audit.deidentification.ladder import AS_IT_IS, SUPPRESSED, Ladder, build_ladder
from audit.deidentification.plan import Column, Plan
from audit.deidentification.requirements import Sensitive
from classifier.errors import ConfigurationError


@dataclass(frozen=True)
class QuasiIdentifiers:
    """What others may know of each row.

    Args:
        columns: What the plan says of each, by name.
        read: Each as it was read ``(N,)``.
        cells: The values of each.
        ladders: The levels of each, in the same order.
        sensitive: The value of each row in each sensitive column ``(N,)``.
        values: How many values each of these has.
    """

    columns: dict[str, Column]
    read: dict[str, pd.Series[Any]]
    cells: tuple[Cells, ...]
    ladders: tuple[Ladder, ...]
    sensitive: tuple[NDArray[np.int64], ...]
    values: tuple[int, ...]

    @classmethod
    def of(cls, read: dict[str, pd.Series[Any]], plan: Plan, sensitive: Sequence[tuple[Sensitive, NDArray[np.int64]]]) -> QuasiIdentifiers:
        """The quasi-identifiers of a plan, from their columns, of which those that are rounded or suppressed in part are so already.

        Raises:
            ConfigurationError: If levels are not coarsenings of each other.
            DataError: If a cell does not fit.
        """
        columns = {name: plan.columns[name] for name in plan.quasi}
        cells = tuple(read_cells(read[name], name) for name in columns)
        ladders = tuple(
            build_ladder(name, column, each, top=True)
            if column.action == "generalise"
            else Ladder((AS_IT_IS,), (np.arange(len(each.values)),), (each.values,))
            for (name, column), each in zip(columns.items(), cells, strict=True)
        )
        return cls(columns, read, cells, ladders, tuple(codes for _, codes in sensitive), tuple(column.values for column, _ in sensitive))

    def choices(self) -> list[range]:
        """The levels that the plan leaves to the search, for each.

        Raises:
            ConfigurationError: If it names a level that there is not.
        """
        found = []
        for (name, column), ladder in zip(self.columns.items(), self.ladders, strict=True):
            if column.level is not None and column.lowest > column.level:
                raise ConfigurationError(
                    f"column {name!r} has level {column.level} under lowest {column.lowest}", remedy="give one of them"
                )
            low = fixed_level(name, ladder.height, column.lowest if column.level is None else column.level)
            found.append(range(low, (ladder.height if column.level is None else column.level) + 1))
        return found

    def classes(self, node: Sequence[int]) -> tuple[Classes, NDArray[np.int64]]:
        """The classes of the table at the levels `node`, and the class of each row ``(N,)``."""
        at = list(zip(self.ladders, node, self.cells, strict=True))
        codes = np.stack([ladder.codes[level][cells.codes] for ladder, level, cells in at])
        return group_rows(codes, [ladder.groups(level) for ladder, level, _ in at], self.sensitive, self.values)

    def released(self, node: Sequence[int]) -> dict[str, Any]:
        """Each column as it is released at the levels `node` ``(N,)``."""
        at = zip(self.columns, self.ladders, node, self.cells, strict=True)
        return {name: ladder.released(cells, level) if level else tidied(self.read[name], name) for name, ladder, level, cells in at}

    def hidden(self, node: Sequence[int], left_out: NDArray[np.bool_]) -> float:
        """The share of cells that show nothing: ``*``, or in a row that is left out."""
        at = zip(self.ladders, node, self.cells, strict=True)
        stars = [(ladder.labels[level] == SUPPRESSED)[ladder.codes[level]][cells.codes] for ladder, level, cells in at]
        return float(np.mean([star | left_out for star in stars]))
