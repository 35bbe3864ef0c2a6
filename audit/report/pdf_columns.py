"""Columns of a printed table: how wide each is, from what stands in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from audit.report.document import Cell, Grid
from audit.report.pdf_letters import BREAK, breakable, width

#: Where a table stands: its letters are smaller in the appendix, and there it may share the page with another.
Room = Literal["body", "appendix", "column"]

# Letters that fit across a page, and what the space between two columns takes of them.
_PAGE: Mapping[Room, float] = {"body": 112, "appendix": 128, "column": 62}
_BETWEEN = 2.5
# A sign and the space after it.
_SIGN = 3.0
_SMALL = 0.9
# A head may take so many lines.
_HEAD_LINES = 2
_HALVINGS = 20


def column_widths(grid: Grid, place: Room, words: dict[str, str]) -> list[float]:
    """The share of the page that each column gets.

    Short columns are as wide as what stands in them; of what is left, long texts get more, so that no row is high for one of them. What
    nobody needs goes to the first column, so that numbers stand at the right edge; where that has numbers itself, to all.

    Args:
        grid: The table.
        place: Where it stands.
        words: The word of each verdict.
    """
    room = _PAGE[place] - _BETWEEN * len(grid.heads)
    needs = []
    for column, head in enumerate(grid.heads):
        cells = [row[column] for row in grid.rows if len(row) > 1]
        word, line = _longest_piece(head.text), width(head.text) / _HEAD_LINES
        least = max([word, *(_least(cell, words) for cell in cells)])
        needs.append((least, max([least, line, *(_wanted(cell, words) for cell in cells)])))
    shares = _shared(needs, room)
    for column, head in enumerate(grid.heads):
        # A head that need not break does not.
        shares[column] += max(0.0, min(width(head.text) - shares[column], room - sum(shares)))
    rest = max(0.0, room - sum(shares))
    if grid.heads[0].number:
        shares = [share + rest / len(shares) for share in shares]
    else:
        shares[0] += rest
    return [share + _BETWEEN for share in shares]


def _shared(needs: Sequence[tuple[float, float]], room: float) -> list[float]:
    """Widths between the least and the wanted of each, as wide as they fit together; they grow with the root of what is wanted."""

    def grown(factor: float) -> list[float]:
        return [min(wanted, max(least, factor * math.sqrt(wanted))) for least, wanted in needs]

    low, high = 0.0, math.sqrt(max(wanted for _, wanted in needs))
    if sum(grown(high)) <= room:
        return grown(high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(grown(middle)) <= room else (low, middle)
    return grown(low)


def _wanted(cell: Cell, words: dict[str, str]) -> float:
    line = max(width(text) for text in cell.text.split("\n"))
    return max(_verdict(cell, words) + line, _SMALL * width(cell.small))


def _least(cell: Cell, words: dict[str, str]) -> float:
    return max(_verdict(cell, words), _longest_piece(cell.text, code=cell.code), _SMALL * _longest_piece(cell.small))


def _verdict(cell: Cell, words: dict[str, str]) -> float:
    return 0.0 if cell.verdict is None else _SIGN + width(words[cell.verdict])


def _longest_piece(text: str, *, code: bool = False) -> float:
    """The longest piece that no line breaks; a Chinese text breaks everywhere, but for two letters a line reads badly."""
    pieces = [piece for word in breakable(text, code=code).split() for piece in word.split(BREAK)]
    return float(max((min(width(piece), 8) if not piece.isascii() else len(piece) for piece in pieces), default=0))
