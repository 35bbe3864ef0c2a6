"""Prototypes: the rows that are typical of each decision and their criticisms, as images, texts, or columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classifier.errors import NotApplicableError
from classifier.modalities.image import Image
from classifier.modality import modality_of
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, PALETTE, axes_or_new, fold, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.behaviour.prototyping import Example, Prototypes

# Features that have room below each other, letters of a value, and letters of a line of text.
_FEATURES, _LETTERS, _LINE = 24, 15, 92


@picture
def draw_prototypes(prototypes: Prototypes, *, ax: Axes | None = None) -> Axes:
    """Draw the rows that were chosen.

    Args:
        prototypes: What is drawn.
        ax: Where to draw; a new figure where there is none.

    Raises:
        NotApplicableError: If the inputs are neither images nor texts nor rows of a table.
    """
    draw = {"image": _draw_images, "text": _draw_texts, "tabular": _draw_table}.get(prototypes.schema.modality)
    if draw is None:
        raise NotApplicableError(
            f"prototypes of modality {prototypes.schema.modality} have no picture",
            remedy="to_frame() names the rows, and inputs holds them",
        )
    ax = draw(prototypes, ax)
    ax.set_axis_off()
    by = f"the layer {prototypes.layer}" if prototypes.layer else "the inputs"
    ax.set_title(
        f"Typical of each decision, and criticisms,\nrows that those stand for badly; compared by {by}", loc="left", fontsize="medium"
    )
    return ax


def _draw_images(prototypes: Prototypes, ax: Axes | None) -> Axes:
    from matplotlib.patches import Rectangle

    modality = modality_of(prototypes.schema)
    assert isinstance(modality, Image)
    pictures = modality.picture(prototypes.inputs)
    rows = {decision: place for place, decision in enumerate(dict.fromkeys(e.decision for e in prototypes.examples))}
    typical = max(sum(e.decision == d and e.role == "prototype" for e in prototypes.examples) for d in rows)
    critical = max(sum(e.decision == d and e.role == "criticism" for e in prototypes.examples) for d in rows)
    ax = axes_or_new(ax, width=1.4 + 1.0 * (typical + critical + 0.4), height=0.8 + 1.0 * len(rows))
    filled: dict[tuple[int, str], int] = {}
    for example, shown in zip(prototypes.examples, pictures, strict=True):
        key = (example.decision, example.role)
        column = filled.get(key, 0) + (typical + 0.4 if example.role == "criticism" else 0)
        filled[key] = filled.get(key, 0) + 1
        place = (column + 0.05, column + 0.95, rows[example.decision] + 0.95, rows[example.decision] + 0.05)
        ax.imshow(np.broadcast_to(shown, (*shown.shape[:2], 3)), extent=place, interpolation="nearest")
        ax.add_patch(Rectangle((place[0], place[3]), 0.9, 0.9, fill=False, edgecolor=FAINT, linewidth=0.8))
    for decision, row in rows.items():
        ax.text(-0.1, row + 0.5, shorten(prototypes.classes[decision], 16), ha="right", va="center", color=INK)
    ax.text(0.05, -0.12, "prototypes", color=INK, fontsize="small")
    if critical:
        ax.text(typical + 0.45, -0.12, "criticisms", color=INK, fontsize="small")
    ax.set_xlim(-0.1, typical + critical + 0.5)
    ax.set_ylim(len(rows), -0.35)
    ax.set_aspect("equal")
    return ax


def _draw_texts(prototypes: Prototypes, ax: Axes | None) -> Axes:
    blocks = [fold(shorten(text, 3 * _LINE - 8), _LINE).split("\n") for text in prototypes.texts()]
    ax = axes_or_new(ax, width=9.0, height=0.9 + 0.24 * (sum(map(len, blocks)) + len(blocks)))
    place = 0.0
    for example, lines in zip(prototypes.examples, blocks, strict=True):
        ax.text(
            0,
            place,
            _heading(prototypes, example),
            color=PALETTE[example.decision % len(PALETTE)],
            fontsize="small",
            va="top",
            weight="bold",
        )
        ax.text(0.32, place, "\n".join(lines), fontsize="small", va="top", color=INK)
        place += len(lines) + 0.6
    ax.set_xlim(0, 1.3)
    ax.set_ylim(place, -0.3)
    return ax


def _draw_table(prototypes: Prototypes, ax: Axes | None) -> Axes:
    schema = prototypes.schema
    words = modality_of(schema).words(prototypes.inputs)
    # Those in which the chosen rows differ say most of what tells them apart.
    differing = sorted(schema.names, key=lambda name: -len({row[name] for row in words}))[:_FEATURES]
    names = [name for name in schema.names if name in differing]
    ax = axes_or_new(ax, width=2.4 + 1.32 * len(words), height=1.5 + 0.27 * len(names))
    for column, (example, row) in enumerate(zip(prototypes.examples, words, strict=True)):
        color = PALETTE[example.decision % len(PALETTE)]
        ax.text(column + 0.5, -0.5, _heading(prototypes, example), ha="center", va="bottom", fontsize="small", color=color, weight="bold")
        for line, name in enumerate(names):
            style = "italic" if example.role == "criticism" else "normal"
            ax.text(column + 0.5, line, shorten(row[name], _LETTERS), ha="center", va="center", fontsize="small", color=INK, style=style)
    for line, name in enumerate(names):
        ax.text(-0.05, line, shorten(name, 26), ha="right", va="center", fontsize="small", color=INK)
        ax.axhline(line + 0.5, color=FAINT, linewidth=0.5, zorder=0)
    ax.axhline(-0.5, color=INK, linewidth=0.8, zorder=0)
    hidden = len(schema.names) - len(names)
    if hidden:
        ax.text(-0.05, len(names), f"{hidden} more features", ha="right", va="center", fontsize="small", color=INK)
    ax.set_xlim(-1.6, len(words))
    ax.set_ylim(len(names) + (0.6 if hidden else -0.4), -2.6)
    return ax


def _heading(prototypes: Prototypes, example: Example) -> str:
    """What stands over a row: its decision, what it is, and its place or what it stands for."""
    share = f"\nnearest of {example.share:.0%}" if example.role == "prototype" else "\ncriticism"
    return f"{shorten(prototypes.classes[example.decision], 16)} {example.probability:.2f}{share}"
