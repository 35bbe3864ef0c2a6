"""A gallery of cases: images, series, texts or graphs as small pictures, in bands with a heading each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from classifier.modalities._observed import OBSERVED
from classifier.modalities.graph import Graphs
from classifier.modalities.image import Image
from classifier.modalities.sequence import Series
from classifier.modality import modality_of
from classifier.schema import Schema
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, MARKERS, PALETTE, axes_or_new, fold, shorten
from explain.figures.examples._table import emphasis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Width and height of a tile in inches, tiles beside each other, letters of a line of text.
_SIDE, _BESIDE, _WIDE, _LETTERS = 1.15, 6, 7.4, 92
_TEXT_LINES, _LINES = 3, 4
# Letters of a line under a tile, and beside a text.
_CAPTION, _NAME = 20, 28


@dataclass(frozen=True)
class Band:
    """Cases under one heading.

    Args:
        heading: What they have in common.
        inputs: The cases ``(n, *S)``.
        captions: What stands under each.
        color: Of the heading and the captions.
    """

    heading: str
    inputs: Tensor
    captions: Sequence[str]
    color: str = INK


@picture
def draw_gallery(schema: Schema, bands: Sequence[Band], *, title: str, ax: Axes | None = None) -> Axes:
    """Draw bands of cases, one below the other; texts one a line, all else side by side.

    Args:
        schema: What the inputs mean.
        bands: The bands, that on top first.
        title: Title.
        ax: Where to draw; a new figure that fits where there is none.
    """
    texts = schema.modality == "text"
    tall = 0.5 if texts else 0.5 + _SIDE * (0.62 if schema.modality == "sequence" else 1.0)
    lines = [len(band.inputs) if texts else -(-len(band.inputs) // _BESIDE) for band in bands]
    depth = sum(0.42 + max(1, count) * tall for count in lines)
    ax = axes_or_new(ax, width=_WIDE, height=depth + 0.45)
    ax.set_axis_off()
    ax.set_title(title, loc="left", fontsize="medium")
    for number, name in enumerate(_drawn(schema) if schema.modality == "sequence" else ()):
        ax.text(_SIDE + 0.15, 0.45 + 0.16 * number, shorten(name), color=PALETTE[number], fontsize=8, va="top")
    y = 0.0
    for band in bands:
        ax.text(0, y + 0.12, band.heading, color=band.color, fontsize=9.5, va="top", **emphasis(band.heading))
        y += 0.4
        for index, caption in enumerate(band.captions):
            line, column = (index, 0) if texts else divmod(index, _BESIDE)
            place = (column * _WIDE / _BESIDE, y + line * tall)
            if texts:
                _text(ax, schema, band.inputs[index : index + 1], place, caption, band.color)
            else:
                box = (place[0], place[1], _SIDE, tall - 0.5)
                _tile(ax, schema, band.inputs[index : index + 1], box)
                ax.text(place[0], place[1] + tall - 0.46, _cut(caption, _CAPTION), color=INK, fontsize=8, va="top")
        if len(band.captions) == 0:
            ax.text(0, y, "none", color=INK, fontsize=8, va="top")
        y += max(1, -(-len(band.captions) // (1 if texts else _BESIDE))) * tall + 0.02
    # After the pictures, which set limits of their own.
    ax.set_xlim(0, _WIDE)
    ax.set_ylim(depth, 0)
    ax.set_aspect("auto" if texts else "equal")
    return ax


def _tile(ax: Axes, schema: Schema, x: Tensor, box: tuple[float, float, float, float]) -> None:
    modality, (left, top, width, height) = modality_of(schema), box
    if isinstance(modality, Image):
        picture = modality.picture(x)[0]
        rows, columns = picture.shape[:2]
        scale = min(width / columns, height / rows)
        extent = (left, left + scale * columns, top + scale * rows, top)
        shown = picture if picture.shape[2] == 3 else picture[..., 0]
        ax.imshow(shown, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")
        return
    if isinstance(modality, Series):
        ax.plot([left, left, left + width], [top, top + height, top + height], color=FAINT, linewidth=0.8)
        case: Any = modality.decode(x).iloc[0, 0]
        for number, name in enumerate(_drawn(schema)):
            values = case[name].to_numpy(dtype=float)
            bottom, reach = _reach(schema, name, values)
            across = left + width * np.arange(len(values)) / max(1, schema.size[0] - 1)
            ax.plot(across, top + height * (1 - np.clip((values - bottom) / reach, 0, 1)), color=PALETTE[number], linewidth=1.1)
    elif isinstance(modality, Graphs):
        graph: Any = modality.decode(x).iloc[0, 0]
        angles = 2 * np.pi * np.arange(len(graph.nodes)) / max(1, len(graph.nodes))
        across, down = left + width * (0.5 + 0.42 * np.sin(angles)), top + height * (0.5 - 0.42 * np.cos(angles))
        for one, other in graph.edges:
            ax.plot(across[[one, other]], down[[one, other]], color=FAINT, linewidth=0.9, zorder=1)
        ax.plot(across, down, MARKERS[0], color=INK, markersize=3, zorder=2)


def _text(ax: Axes, schema: Schema, x: Tensor, place: tuple[float, float], caption: str, color: str) -> None:
    words = str(modality_of(schema).decode(x).iloc[0, 0])
    lines = fold(words, _LETTERS).split("\n")
    if len(lines) > _TEXT_LINES:
        lines = [*lines[: _TEXT_LINES - 1], shorten(f"{lines[_TEXT_LINES - 1]}…", _LETTERS)]
    ax.text(place[0], place[1], _cut(caption, _NAME), color=color, fontsize=8, va="top")
    ax.text(place[0] + 1.7, place[1], "\n".join(lines), color=INK, fontsize=8, va="top")


def _cut(caption: str, letters: int) -> str:
    return "\n".join(shorten(line, letters) for line in caption.split("\n"))


def _drawn(schema: Schema) -> list[str]:
    """The variables of a series that have a line: numbers, at most as many as there are colours that tell them apart."""
    return [feature.name for feature in schema.features if feature.numeric and feature.name != OBSERVED][:_LINES]


def _reach(schema: Schema, name: str, values: NDArray[np.float64]) -> tuple[float, float]:
    """Where a variable's axis begins and how long it is: its bounds, so that all tiles share it."""
    feature = schema[name]
    if feature.low is not None and feature.high is not None and feature.high > feature.low:
        return feature.low, feature.high - feature.low
    return float(values.min()), float(np.ptp(values)) or 1.0
