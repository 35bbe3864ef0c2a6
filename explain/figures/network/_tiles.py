"""Small pictures side by side, to one scale: maps, filters, inputs."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explain.figures._style import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


def draw_tiles(
    pictures: Sequence[NDArray[Any]],
    names: Sequence[str],
    *,
    title: str,
    label: str,
    colors: Colormap | str | None,
    limits: tuple[float, float],
    columns: int = 8,
    notes: Sequence[str] = (),
) -> Figure:
    """Draw pictures ``(H, W)``, or ``(H, W, 3)`` of red, green and blue, side by side with one scale of colours.

    Args:
        pictures: The pictures.
        names: What each is.
        title: Title.
        label: What the colours show; empty where the pictures have colours of their own.
        colors: The colours.
        limits: Values of the first and of the last colour.
        columns: Pictures side by side at most.
        notes: A word below each name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(columns, len(pictures))
    rows = ceil(len(pictures) / columns)
    height, width = pictures[0].shape[:2]
    tall = min(max(height / width, 0.4), 2.5)
    figure = Figure(
        figsize=(max(4.6, 1.15 * columns + 1.3), 0.8 + rows * (1.15 * tall + 0.35 + (0.16 if notes else 0))), layout="constrained"
    )
    FigureCanvasAgg(figure)
    for place, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        ax = figure.add_subplot(rows, columns, place + 1)
        image = ax.imshow(
            picture,
            cmap=colors,
            vmin=limits[0],
            vmax=limits[1],
            interpolation="nearest",
            aspect="auto" if height / width != tall else "equal",
        )
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_color(FAINT)
        ax.set_title(f"{name}\n{notes[place]}" if notes else name, fontsize="x-small", color=INK, pad=3)
    if label:
        bar = figure.colorbar(image, ax=figure.axes, shrink=0.8, aspect=25, pad=0.02)
        bar.set_label(label, color=INK)
        bar.outline.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize="medium")
    return figure


def largest_first(sizes: NDArray[Any], limit: int) -> NDArray[np.int64]:
    """The places of the `limit` largest, in their order."""
    return np.sort(np.argsort(-sizes, kind="stable")[:limit])
