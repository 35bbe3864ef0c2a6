"""Tables of a check's evidence, in the words of a language."""

from __future__ import annotations

from audit.evidence import Evidence, Table
from audit.report.contents import Contents
from audit.report.document import Cell, Grid, Head
from audit.report.parts.shortening import brief

# Tables whose numbers the report shows from the metrics instead, with their intervals.
_SHOWN_BY_GROUP = frozenset({"fairness.groups.by_group"})
# Letters that the columns of a table in the body share, and that each has at least.
_ROOM, _LEAST_ROOM = 180, 20


def shown_tables(evidence: Evidence) -> tuple[Table, ...]:
    """The tables of a check that are shown as they are."""
    return tuple(table for table in evidence.tables if f"{evidence.check}.{table.name}" not in _SHOWN_BY_GROUP)


def row_name(name: str) -> Cell:
    """What names a row; a value that is empty shows as such, and not as if the row went on under the name above it."""
    return Cell(name or "“”")


def grid(contents: Contents, check: str, table: Table, *, most: int | None = None) -> Grid:
    """A table with its title and its heads.

    Args:
        contents: What is shown.
        check: The check that it is from.
        table: The table.
        most: How many rows there is place for, with short names; a remark counts the others.
    """
    say, wording = contents.catalogue, contents.wording
    heads = wording.columns(check, table, contents.audit.identity.classes)
    numeric = [bool(table.rows) and isinstance(table.rows[0][place], int | float) for place in range(len(heads))]
    said = [[wording.cell(check, table, column, cell) for column, cell in zip(table.columns, row, strict=True)] for row in table.rows]
    if most is not None:
        room = max(_LEAST_ROOM, _ROOM // len(heads))
        heads, said = ([brief(head, most=room) for head in heads], [[brief(text, most=room) for text in row] for row in said])
    cells = [(row_name(first), *map(Cell, rest)) for first, *rest in said]
    if most is not None and len(cells) > most:
        cells = [*cells[:most], (Cell(say("scope.more", {"more": len(cells) - most})),)]
    return Grid(
        say(f"table.{check}.{table.name}.title"),
        tuple(Head(head, number=number) for head, number in zip(heads, numeric, strict=True)),
        tuple(cells),
    )
