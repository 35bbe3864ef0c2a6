"""Plan: what is done with each column, and what must hold of the table that results."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from audit.toml_files import Form, read_toml
from classifier.errors import ConfigurationError

Action = Literal["keep", "drop", "pseudonym", "generalise", "round", "suppress"]
Role = Literal["quasi", "sensitive", "other"]
DatePart = Literal["day", "month", "quarter", "year", "decade"]
LossName = Literal["ncp", "precision", "entropy"]

_OPTIONS: dict[str, tuple[str, ...]] = {
    "keep": (),
    "drop": (),
    "pseudonym": ("domain", "bits"),
    "generalise": ("widths", "origin", "cuts", "dates", "date_format", "prefixes", "hierarchy", "level", "lowest", "weight"),
    "round": ("to",),
    "suppress": ("fewer_than",),
}
_LADDERS = ("widths", "cuts", "dates", "prefixes", "hierarchy")


class Diversity(Form):
    """``diversity``: how varied a sensitive column must be within each class (Machanavajjhala et al., 2007).

    Args:
        kind: ``"distinct"``: at least `l` values; ``"entropy"``: an entropy of at least log `l`;
            ``"recursive"``: the commonest value less than `c` times as often as all from the `l`-th on.
        l: See `kind`.
        c: See `kind`.
    """

    kind: Literal["distinct", "entropy", "recursive"] = "distinct"
    l: Annotated[float, Field(ge=1)]  # noqa: E741 (the letter that the literature uses)
    c: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Diversity:
        if (self.kind == "recursive") != (self.c is not None):
            raise ValueError('needs c where kind = "recursive", and only there')
        if self.kind != "entropy" and not self.l.is_integer():
            raise ValueError(f'needs a whole l where kind = "{self.kind}"')
        return self


class Closeness(Form):
    """``closeness``: how near a sensitive column's distribution in each class must be to that in all rows (Li et al., 2007).

    Args:
        t: The largest earth mover's distance.
        distance: What moving costs: ``"equal"`` 1 between any two values; ``"ordered"`` by steps between their ranks.
        order: The values in their order, where they are no numbers.
    """

    t: Annotated[float, Field(ge=0, le=1)]
    distance: Literal["equal", "ordered"] = "equal"
    order: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Closeness:
        twice = next((value for value in self.order if self.order.count(value) > 1), None)
        if twice is not None:
            raise ValueError(f"has {twice!r} twice in order; give each value one place")
        return self


class Column(Form):
    """``[columns.NAME]``: what is done with one column.

    Args:
        action: ``keep``, ``drop``, ``pseudonym``, ``generalise``, ``round`` or ``suppress``.
        role: ``quasi``: others may know it of a person; ``sensitive``: nobody should learn it; else ``other``.
        reason: Why.
        domain: Columns and data sets that name the same domain get the same pseudonym for the same value; else none do.
        bits: Length of a pseudonym.
        widths: Widths of ranges, one a level, each a multiple of the one before.
        origin: Where ranges start.
        cuts: Edges of ranges, one list a level, each holding only edges of the one before.
        dates: What is left of a date, one a level.
        date_format: How dates are written, as ``strptime`` takes it; by default as ISO 8601 says.
        prefixes: How many leading characters are left, one number a level.
        hierarchy: A CSV file (``value,level1,level2``), or a table from each value to its levels.
        level: The level that is taken. Without it the search chooses for a quasi-identifier; 0 is the value as it is,
            and a quasi-identifier has ``*`` above its highest level.
        lowest: The level below which the search does not go.
        weight: How much its loss counts.
        to: Numbers are rounded to multiples of it.
        fewer_than: Only values that fewer rows have are suppressed; without it all are. Rows are those that are released where
            `role` is ``other``, else all that were read.
        diversity: What must hold of a sensitive column.
        closeness: What must hold of a sensitive column.
    """

    action: Action
    role: Role = "other"
    reason: str = ""
    domain: Annotated[str, Field(min_length=1)] | None = None
    bits: Annotated[int, Field(ge=128, le=256, multiple_of=8)] = 128
    widths: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = ()
    origin: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    cuts: tuple[Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(min_length=1)], ...] = ()
    dates: tuple[DatePart, ...] = ()
    date_format: str | None = None
    prefixes: tuple[Annotated[int, Field(ge=1)], ...] = ()
    hierarchy: str | dict[str, tuple[str, ...]] | None = None
    level: Annotated[int, Field(ge=0)] | None = None
    lowest: Annotated[int, Field(ge=0)] = 0
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    to: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    fewer_than: Annotated[int, Field(ge=2)] | None = None
    diversity: Diversity | None = None
    closeness: Closeness | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Column:
        given = self.model_fields_set
        for name in sorted(given & {option for options in _OPTIONS.values() for option in options}):
            if name not in _OPTIONS[self.action]:
                allowed = ", ".join(_OPTIONS[self.action]) or "none"
                raise ValueError(f'has {name}, which action = "{self.action}" does not take (its options: {allowed})')
        ladders = [name for name in _LADDERS if getattr(self, name)]
        if len(ladders) > 1:
            raise ValueError(f"has {' and '.join(ladders)}; give one of them")
        if self.action == "generalise" and not ladders and self.role != "quasi":
            raise ValueError(f"needs one of {', '.join(_LADDERS)}")
        for lower, higher in (*pairwise(self.widths), *pairwise(self.cuts), *pairwise(self.dates), *pairwise(self.prefixes)):
            if not _coarser(lower, higher):
                raise ValueError(f"has {higher!r} after {lower!r}, required is that each level holds whole groups of the one before")
        if self.action == "round" and self.to is None:
            raise ValueError("needs to, the number whose multiples are kept")
        if self.role == "quasi" and self.action in ("drop", "pseudonym"):
            raise ValueError(f'has role = "quasi", which action = "{self.action}" does not go with; generalise it, or give it another role')
        if self.role == "sensitive" and self.action in ("drop", "pseudonym"):
            raise ValueError(f'is sensitive, which action = "{self.action}" leaves nothing of; give it another role')
        if self.role != "sensitive" and (self.diversity or self.closeness):
            raise ValueError('has diversity or closeness, which need role = "sensitive"')
        return self


def _coarser(lower: Any, higher: Any) -> bool:
    """Whether the second of two levels of one kind holds whole groups of the first."""
    if isinstance(lower, str):
        return get_args(DatePart).index(lower) < get_args(DatePart).index(higher)
    if isinstance(lower, tuple):
        return set(higher) < set(lower)
    if isinstance(lower, int):
        return higher < lower
    return higher > lower and math.isclose(higher / lower, round(higher / lower), rel_tol=1e-9)


class Plan(Form):
    """What is done with a table.

    Args:
        dataset: Name of the data set; under one key, pseudonyms of two names do not link unless they name a domain.
        k: At least so many rows must share the quasi-identifiers of each released row.
        person: The column that tells whose row it is, where somebody may have several: `k` then counts persons, not rows.
        max_suppressed: The largest share of rows that may be left out to reach that.
        loss: What the search makes least: ``"ncp"``, ``"precision"`` or ``"entropy"``.
        order: ``"sorted"``: rows stand in the order of what they show, so that their place tells nothing; ``"kept"``: as they were.
        columns: What is done with each column; every column of the table must be named.
    """

    dataset: Annotated[str, Field(min_length=1)]
    k: Annotated[int, Field(ge=1)] | None = None
    person: str | None = None
    max_suppressed: Annotated[float, Field(ge=0, le=1)] = 0.05
    loss: LossName = "ncp"
    order: Literal["sorted", "kept"] = "sorted"
    columns: Annotated[dict[str, Column], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Plan:
        if self.quasi and self.k is None:
            raise ValueError("has quasi-identifiers and no k; say how many rows must share them")
        if self.person is not None and self.person not in self.columns:
            raise ValueError(f"has person = {self.person!r}, which is none of its columns")
        if not self.quasi and (
            self.k is not None or self.person is not None or any(column.diversity or column.closeness for column in self.columns.values())
        ):
            raise ValueError('has k, person, diversity or closeness and no column with role = "quasi"; name those that others may know')
        return self

    @property
    def quasi(self) -> tuple[str, ...]:
        """The columns that others may know of a person."""
        return tuple(name for name, column in self.columns.items() if column.role == "quasi")

    @property
    def sensitive(self) -> tuple[str, ...]:
        """The columns that nobody should learn."""
        return tuple(name for name, column in self.columns.items() if column.role == "sensitive")

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Read a plan and the hierarchies that it names, whose paths start at the plan's folder.

        Raises:
            ConfigurationError: If the file is missing, is no TOML, has an unknown key or a value that does not fit.
            DataError: If a hierarchy cannot be read.
        """
        from audit.deidentification.hierarchies import read_hierarchy

        path = Path(path)
        plan = read_toml(cls, path)
        read: dict[str, Any] = {}
        for name, column in plan.columns.items():
            if isinstance(column.hierarchy, str):
                column = column.model_copy(update={"hierarchy": read_hierarchy(path.parent / column.hierarchy)})
            read[name] = column
        return plan.model_copy(update={"columns": read})

    def write(self, path: str | Path, *, replace: bool = False) -> None:
        """Write the plan as TOML, whole or not at all; hierarchies are written into it.

        Raises:
            ConfigurationError: If there is a file and `replace` is not said.
            StorageError: If it cannot be written.
        """
        from audit.deidentification.plan_text import plan_as_toml
        from classifier.records import write_atomically

        path = Path(path)
        if path.exists() and not replace:
            raise ConfigurationError(f"{path} is there already", remedy="name another file, or say that it may be replaced")
        write_atomically(path, plan_as_toml(self).encode())
