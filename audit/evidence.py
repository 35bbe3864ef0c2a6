"""Evidence: what a check measured, and nothing about whether it is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from classifier.metric import Metric

Cell = str | int | float | None
FigureKind = Literal["lines", "intervals", "waterfall", "heatmap", "pictures"]


@dataclass(frozen=True)
class Table:
    """Rows for a reader. Its title and its column heads come from the catalogue, by `name` and `columns`.

    Args:
        name: Its name within the check.
        columns: Id of each column.
        rows: The cells; ``None`` is shown as a dash.
        single: Whether it shows values of single cases, and is sealed where the data were.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    single: bool = False


@dataclass(frozen=True)
class Series:
    """One line of a figure.

    Args:
        name: Its id in the catalogue, or a proper name.
        x: Positions.
        y: Values.
        low: Lower end of the interval at each position, if it has one.
        high: Upper end.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Figure:
    """What a picture shows, not how it looks. Its title and its axes come from the catalogue, by `name`.

    Args:
        name: Its name within the check.
        kind: ``"lines"`` (series over x), ``"intervals"`` (a value and its interval for each label),
            ``"waterfall"`` (from a base through contributions to a value), ``"heatmap"`` (an image and the
            contribution of each of its patches), or ``"pictures"`` (small images in a grid).
        series: What is drawn; intervals and waterfalls have one, a heat map the contributions and the pixels from
            0 to 1, whose ``(height, width, channels)`` and side of a patch are among the words; pictures have one series
            each, of pixels from 0 to 1, and the ``columns`` of their grid are among the words too.
        labels: What stands at each position of intervals, waterfalls and contributions, and under each picture.
        marks: Named positions on the x axis, as of the epoch that was kept.
        diagonal: Whether the line y = x is drawn for comparison.
        log: Whether both axes are logarithmic.
        words: What the catalogue's sentences about it need to be told.
        single: Whether it shows values of single cases, and is sealed where the data were.
    """

    name: str
    kind: FigureKind
    series: tuple[Series, ...]
    labels: tuple[str, ...] = ()
    marks: Mapping[str, float] = field(default_factory=dict)
    diagonal: bool = False
    log: bool = False
    words: Mapping[str, str | int | float] = field(default_factory=dict)
    single: bool = False


@dataclass(frozen=True)
class Evidence:
    """What one check measured.

    Args:
        check: Id of the check, ``"robustness.attack"``.
        metrics: The numbers, each with its interval and its n.
        tables: Rows for a reader.
        figures: What the pictures show.
        parameters: The options that it ran with, and what they were resolved to.
        seed: Where its random numbers came from.
        notes: Ids of sentences in the catalogue that a reader of these numbers must know.
        not_run: Why it measured nothing.
        arrays: Results row by row, kept beside the record in safetensors.
    """

    check: str
    metrics: tuple[Metric, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    notes: tuple[str, ...] = ()
    not_run: str | None = None
    arrays: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def metric(self, name: str, **where: str | float | int) -> Metric:
        """The one metric of that name whose `where` holds what is asked.

        Raises:
            KeyError: If there is none, or more than one.
        """
        found = [m for m in self.metrics if m.name == name and where.items() <= m.where.items()]
        if len(found) != 1:
            raise KeyError(f"{len(found)} metrics of {self.check} are called {name} where {where}")
        return found[0]

    def _repr_html_(self) -> str:
        from audit.notebook import evidence_html

        return evidence_html(self)
