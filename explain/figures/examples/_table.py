"""A table of cases side by side: features down the side, one column a case, with what differs from the first marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, axes_or_new, fold, font_families, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Letters of a column, lines of a cell at most, and what a letter and a line take at this size, in inches.
_NAME, _CELL, _LINES = 24, 19, 3
_LETTER, _LINE, _POINTS = 0.062, 0.145, 8
_MARK = "#FFF3D6"


@dataclass(frozen=True)
class Column:
    """One case.

    Args:
        head: What stands above it, line by line; the last line is coloured.
        cells: The value of each feature, in words.
        color: Of the last line of the head, and of the rule under it.
        marked: Which cells differ from what they are compared with.
    """

    head: tuple[str, ...]
    cells: Sequence[str]
    color: str = INK
    marked: Sequence[bool] = ()


@picture
def draw_columns(names: Sequence[str], columns: Sequence[Column], *, title: str, gaps: Sequence[int] = (), ax: Axes | None = None) -> Axes:
    """Draw the cases.

    Args:
        names: What the features are called.
        columns: The cases, that on the left first.
        title: Title.
        gaps: Columns before which a space is left.
        ax: Where to draw; a new figure that fits where there is none.
    """
    from matplotlib.patches import Rectangle

    heads = [[_folded(line, _CELL + 1) for line in column.head] for column in columns]
    # Each line of a head is as high in all columns.
    head_lines = [1 + max(line.count("\n") for line in alike) for alike in zip_longest(*heads, fillvalue="")]
    labels = [_folded(name, _NAME) for name in names]
    texts = [[_folded(cell, _CELL) for cell in column.cells] for column in columns]
    heights = [1.0 + max(label.count("\n"), *(text[row].count("\n") for text in texts)) for row, label in enumerate(labels)]
    head = sum(head_lines)
    places, edge = [], float(_NAME + 1)
    for number in range(len(columns)):
        edge += 2 if number in gaps else 0
        places.append(edge)
        edge += _CELL + 1
    depth = head + 0.8 + sum(height + 0.45 for height in heights)

    ax = axes_or_new(ax, width=0.3 + edge * _LETTER, height=0.5 + depth * _LINE)
    ax.set_axis_off()
    ax.set_xlim(0, edge)
    ax.set_ylim(depth, 0)
    ax.set_title(title, loc="left", fontsize="medium")
    font: dict[str, Any] = {"fontsize": _POINTS, "color": INK, "va": "top", "fontfamily": font_families()}
    for column, lines, place in zip(columns, heads, places, strict=True):
        for line, text in enumerate(lines):
            style = {**font, "color": column.color, **emphasis(text)} if line == len(lines) - 1 else font
            ax.text(place, sum(head_lines[:line]), text, **style)
        ax.plot([place, place + _CELL], [head + 0.45] * 2, color=column.color, linewidth=1.6, solid_capstyle="butt")
    y = head + 0.8
    for row, (label, height) in enumerate(zip(labels, heights, strict=True)):
        ax.text(0, y, label, **font)
        for column, lines, place in zip(columns, texts, places, strict=True):
            marked = bool(column.marked) and column.marked[row]
            if marked:
                ax.add_patch(Rectangle((place - 0.4, y - 0.2), _CELL + 0.4, height + 0.3, facecolor=_MARK, edgecolor="none", zorder=0))
            quiet = bool(column.marked) and not marked
            ax.text(place, y, lines[row], **{**font, "color": "#777777" if quiet else INK})
        y += height + 0.45
        ax.plot([0, edge - 1], [y - 0.28] * 2, color=FAINT, linewidth=0.4, zorder=0)
    return ax


def emphasis(text: str) -> dict[str, Any]:
    """Bold letters, where the fonts have them: those with Chinese characters mostly have not."""
    return {"fontweight": "bold", "fontfamily": ["DejaVu Sans"]} if text.isascii() or "−" in text else {"fontfamily": font_families()}


def _folded(text: str, width: int) -> str:
    lines = fold(text, width).split("\n")
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], shorten(f"{lines[_LINES - 1]}…", width)]
    return "\n".join(lines)
