"""Ladder: the levels from a column's values as they are to one label for all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.deidentification.cells import Cells, numbers_of
from audit.deidentification.dates import dates_cut, days_of, read_dates
from audit.deidentification.hierarchies import hierarchy_steps, read_hierarchy
from audit.deidentification.plan import Column
from audit.deidentification.ranges import Bounds, ranges_between, ranges_of_width
from classifier.errors import ConfigurationError

SUPPRESSED = "*"
AS_IT_IS = "as it is"
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Ladder:
    """Levels of generalisation of one column, each a coarsening of the one before.

    Args:
        names: What each level is called.
        codes: For each level, the group of each of the column's D values ``(D,)``.
        labels: For each level, what each group is called ``(G,)``; of level 0, the values.
        bounds: Where distances mean something, as for numbers and dates, the least and the greatest that each value could be
            ``(D,)``, NaN for the empty one; for each level but ``*``.
    """

    names: tuple[str, ...]
    codes: tuple[Codes, ...]
    labels: tuple[NDArray[np.object_], ...]
    bounds: tuple[Bounds, ...] = ()

    @property
    def height(self) -> int:
        """How many levels there are above level 0."""
        return len(self.codes) - 1

    def groups(self, level: int) -> int:
        """How many groups a level has."""
        return len(self.labels[level])

    def between(self, low: int, high: int) -> Codes:
        """The group at level `high` of each group at level `low` ``(G_low,)``."""
        up = np.empty(self.groups(low), dtype=np.int64)
        up[self.codes[low]] = self.codes[high]
        return up

    def released(self, cells: Cells, level: int) -> NDArray[np.object_]:
        """What each row shows at a level ``(N,)``."""
        return cells.spread(self.labels[level][self.codes[level]])


def build_ladder(name: str, column: Column, cells: Cells, *, top: bool) -> Ladder:
    """The levels that a plan gives a column.

    Args:
        name: Its name.
        column: What the plan says of it.
        cells: Its values.
        top: Whether ``*`` for every value is the highest level.

    Raises:
        ConfigurationError: If a level is not a coarsening of the one before; the search relies on it.
        DataError: If a value does not fit: no number, no date, not in the hierarchy.
    """
    bounds: list[Bounds] = []
    steps: list[tuple[str, NDArray[np.object_]]] = [(AS_IT_IS, cells.values)]
    if column.widths or column.cuts:
        numbers = numbers_of(cells, name)
        ranges = [(f"ranges of {width:g}", ranges_of_width(cells.values.tolist(), width, column.origin)) for width in column.widths]
        ranges += [
            (f"ranges cut at {', '.join(f'{edge:g}' for edge in sorted(edges))}", ranges_between(numbers, edges)) for edges in column.cuts
        ]
        steps += [(step, labels) for step, (labels, _) in ranges]
        bounds = [(numbers, numbers), *(edges for _, (_, edges) in ranges)]
    elif column.dates:
        dates = read_dates(cells, name, column.date_format)
        steps += [(part, dates_cut(dates, part)) for part in column.dates]
        bounds = [days_of(dates), *(days_of(dates, part) for part in column.dates)]
    elif column.prefixes:
        steps += [
            (f"first {length} characters", np.array([value and value[:length] + SUPPRESSED for value in cells.values], dtype=object))
            for length in column.prefixes
        ]
    elif column.hierarchy is not None:
        # A plan that was read from a file holds the table by now; one made in Python may name a file.
        table = read_hierarchy_named(column.hierarchy)
        steps += hierarchy_steps(name, table, cells)
    if top and not (len(steps) > 1 and (steps[-1][1] == SUPPRESSED).all()):
        steps.append((SUPPRESSED, np.full(len(cells.values), SUPPRESSED, dtype=object)))
    grouped = [pd.factorize(labels) for _, labels in steps]
    codes = tuple(np.asarray(places, dtype=np.int64) for places, _ in grouped)
    names = tuple(step for step, _ in steps)
    _require_nested(name, names, codes)
    return Ladder(names, codes, tuple(np.asarray(labels, dtype=object) for _, labels in grouped), tuple(bounds))


def read_hierarchy_named(hierarchy: str | dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """A hierarchy, read from its file if it is named by one."""
    from pathlib import Path

    return read_hierarchy(Path(hierarchy)) if isinstance(hierarchy, str) else hierarchy


def _require_nested(name: str, names: tuple[str, ...], codes: tuple[Codes, ...]) -> None:
    for (lower, low), (higher, high) in pairwise(zip(names, codes, strict=True)):
        up = np.full(int(low.max(initial=-1)) + 1, -1, dtype=np.int64)
        up[low] = high
        if (up[low] != high).any():
            raise ConfigurationError(
                f"column {name!r}: {higher!r} cuts through a group of {lower!r}, required is that each level holds whole groups",
                remedy="give multiples of the width before, fewer of the edges before, shorter prefixes, longer spans of time",
            )
