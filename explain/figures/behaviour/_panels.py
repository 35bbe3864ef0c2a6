"""Panels: the parts that a figure of curves is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explain.figures._style import FAINT, INK, LOWERS, MARKERS, PALETTE, RAISES, dash, name_rows, shorten, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Shares of a panel that the cases take below a line, and the names of categories beside their bars.
_DENSITY, _NAMES = 0.22, 0.6


def is_listed(grid: NDArray[Any]) -> bool:
    """Whether the values of a grid are categories and no numbers."""
    return grid.dtype == object


def draw_lines(ax: Axes, grid: NDArray[Any], values: NDArray[Any], cases: pd.Series[Any], limits: tuple[float, float]) -> Sequence[Any]:
    """One line an output ``(G, K)`` over a number ``(G,)``, and how many cases lie where, in grey along the bottom; the lines."""
    low, high = limits
    reach = max(high - low, 1e-6)
    lines = []
    for index in range(values.shape[1]):
        marker, color = MARKERS[index % len(MARKERS)] if len(grid) <= 30 else "", PALETTE[index % len(PALETTE)]
        lines += ax.plot(grid, values[:, index], color=color, linewidth=1.8, linestyle=dash(index), marker=marker, markersize=3)
    ax.set_ylim(low - 1.6 * _DENSITY * reach, high + 0.05 * reach)
    ax.locator_params(axis="x", nbins=6)
    ax.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    below = ax.twinx()
    counts, _, _ = below.hist(cases.to_numpy(dtype=float), bins=40, color=FAINT)
    below.set_ylim(0, np.max(counts) / _DENSITY)
    below.set_axis_off()
    ax.set_zorder(below.get_zorder() + 1)
    ax.patch.set_visible(False)
    tidy_axes(ax)
    return lines


def draw_bars(ax: Axes, grid: NDArray[Any], values: NDArray[Any], cases: pd.Series[Any], limits: tuple[float, float]) -> Sequence[Any]:
    """One bar a category ``(G,)`` and output ``(G, K)``, each with its share of the cases; the bars of each output."""
    from matplotlib.ticker import MaxNLocator

    low, high = limits
    count = values.shape[1]
    reach, height = max(high - low, 1e-6), 0.7 / count
    bars = []
    for index in range(count):
        places = np.arange(len(grid)) + (index - (count - 1) / 2) * height
        colors = [RAISES if value > 0 else LOWERS for value in values[:, 0]] if count == 1 else PALETTE[index % len(PALETTE)]
        bars.append(ax.barh(places, values[:, index], height=height, color=colors))
    name_rows(ax, [f"{_word(value, 26)} ({share(cases, value):.0%})" for value in grid])
    ax.set_xlim(low - reach * _NAMES / (1 - _NAMES), high + 0.05 * reach)
    ax.set_xticks([tick for tick in MaxNLocator(3).tick_values(low, high) if low - 0.05 * reach <= tick <= high + 0.05 * reach])
    ax.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    tidy_axes(ax, keep=("bottom",))
    # Inside the panel, so that long names leave the panels their width.
    ax.tick_params(axis="y", labelsize="x-small", pad=-4)
    for text in ax.get_yticklabels():
        text.set_horizontalalignment("left")
    return bars


def draw_surface(
    ax: Axes,
    names: Sequence[str],
    grids: Sequence[NDArray[Any]],
    surface: NDArray[Any],
    cases: Sequence[pd.Series[Any]],
    largest: float,
) -> None:
    """Colours over two features ``(G, H)``, and the cases as dots: where there are none, nothing was learned."""
    from matplotlib.colors import LinearSegmentedColormap

    if is_listed(grids[0]) and not is_listed(grids[1]):
        # The names of categories read better up the side.
        names, grids, surface, cases = names[::-1], grids[::-1], surface.T, cases[::-1]
    colors = LinearSegmentedColormap.from_list("effect", [LOWERS, "#F7F7F7", RAISES])
    sides = [np.arange(len(grid)) if is_listed(grid) else grid for grid in grids]
    image = ax.pcolormesh(sides[0], sides[1], surface.T, cmap=colors, vmin=-largest, vmax=largest, shading="nearest")
    ax.figure.colorbar(image, ax=ax).outline.set_visible(False)
    dots = [
        pd.Index(grid.astype(str)).get_indexer(pd.Index(column.astype(str))) if is_listed(grid) else column.to_numpy(dtype=float)
        for grid, column in zip(grids, cases, strict=True)
    ]
    ax.scatter(dots[0], dots[1], s=3, color=INK, alpha=0.4, linewidths=0)
    for axis, side, grid, name in zip((ax.xaxis, ax.yaxis), sides, grids, names, strict=True):
        axis.set_label_text(shorten(name))
        if is_listed(grid):
            axis.set_ticks(side, [_word(value, 14) for value in grid], fontsize="x-small")
    tidy_axes(ax)


def _word(value: object, longest: int) -> str:
    return f"{value:g}" if isinstance(value, float) else shorten(str(value), longest)


def share(cases: pd.Series[Any], value: object) -> float:
    """Share of the cases that have a value."""
    return float((cases.astype(str) == str(value)).mean())
