"""Activation maps: what the channels of a layer give for one input, or the units of a layer for many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from classifier.errors import ConfigurationError
from explain.figures._picture import picture
from explain.figures._style import INK, LEVELS, LOWERS, axes_or_new, diverging_colors, tidy_axes
from explain.figures.network._tiles import draw_tiles, largest_first

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_MAPS, _UNITS, _ROWS = 24, 64, 60


@picture
def draw_activations(values: Tensor, layer: str, row: int = 0) -> Figure:
    """Draw what a layer gave.

    Maps ``(N, C, H, W)`` are drawn of one input, the 24 that vary most; vectors over steps or tokens ``(N, T, C)`` of one
    input as a heat map; units ``(N, U)`` as a heat map of all inputs, beside how often which value occurs.

    Args:
        values: Activations ``(N, *T)``.
        layer: The layer's name.
        row: The input, from 0.

    Raises:
        ConfigurationError: If there is no such input, or what a layer gives has more than three axes.
    """
    if not 0 <= row < len(values):
        raise ConfigurationError(f"row must lie in 0 to {len(values) - 1}, got {row}")
    if values.dim() == 4:
        return _maps(values[row].double().numpy(), layer, row)
    if values.dim() == 3:
        return _over_steps(values[row], layer, row)
    if values.dim() == 2:
        return _units(values, layer)
    raise ConfigurationError(f"a layer that gives {tuple(values.shape[1:])} for an input cannot be drawn", remedy="draw a part of it")


def _maps(maps: np.ndarray[tuple[int, ...], np.dtype[np.float64]], layer: str, row: int) -> Figure:
    shown = largest_first(maps.std((1, 2)), _MAPS)
    limits, colors = _scale(maps)
    still = int((np.ptp(maps, axis=(1, 2)) == 0).sum())
    said = f"{len(shown)} of {len(maps)} channels" if len(shown) < len(maps) else f"{len(maps)} channels"
    flat = f", {still} of them without any contrast" if still else ""
    return draw_tiles(
        [maps[channel] for channel in shown],
        [str(channel) for channel in shown],
        title=f"What layer {layer} gives for input {row}: {said}{flat}",
        label="activation",
        colors=colors,
        limits=limits,
    )


def _over_steps(values: Tensor, layer: str, row: int) -> Figure:
    steps = values.double().numpy()
    shown = largest_first(steps.std(0), _UNITS)
    limits, colors = _scale(steps)
    ax = axes_or_new(None, width=7.6, height=min(1.6 + 0.09 * len(shown), 6.0))
    image = ax.imshow(steps[:, shown].T, cmap=colors, vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label("activation", color=INK)
    bar.outline.set_visible(False)
    ax.set_xlabel("position along the layer's first axis, from 0")
    ax.set_ylabel("unit")
    ticks = np.arange(0, len(shown), max(1, len(shown) // 8))
    ax.set_yticks(ticks, [str(shown[tick]) for tick in ticks])
    ax.set_title(f"What layer {layer} gives for input {row}", loc="left", fontsize="medium")
    tidy_axes(ax, keep=())
    return ax.figure  # type: ignore[return-value]  # axes of a figure of their own


def _units(values: Tensor, layer: str) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    numbers = values.double().numpy()
    units = largest_first(numbers.std(0), _UNITS)
    rows = np.linspace(0, len(numbers) - 1, min(_ROWS, len(numbers))).round().astype(int)
    limits, colors = _scale(numbers)
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(1, 2, width_ratios=(2.2, 1))
    ax = figure.add_subplot(grid[0])
    image = ax.imshow(numbers[rows][:, units], cmap=colors, vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest")
    bar = figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label("activation", color=INK)
    bar.outline.set_visible(False)
    ticks = np.arange(0, len(units), max(1, len(units) // 8))
    ax.set_xticks(ticks, [str(units[tick]) for tick in ticks])
    ax.set_xlabel("unit" if len(units) == numbers.shape[1] else f"unit, the {len(units)} of {numbers.shape[1]} that vary most")
    ax.set_ylabel("input" if len(rows) == len(numbers) else f"{len(rows)} of {len(numbers)} inputs")
    tidy_axes(ax, keep=())
    below = figure.add_subplot(grid[1])
    below.hist(numbers.ravel(), bins=40, color=LOWERS, weights=np.full(numbers.size, 100 / numbers.size))
    below.set_xlabel("activation")
    below.set_ylabel("share of all values (%)")
    below.grid(axis="y", color="#EEEEEE")
    tidy_axes(below)
    dead = int((numbers == 0).all(0).sum())
    said = f"; {dead} of {numbers.shape[1]} units are 0 for every input" if dead else ""
    figure.suptitle(f"What layer {layer} gives for {len(numbers)} inputs{said}", x=0.01, ha="left", fontsize="medium")
    return figure


def _scale(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[tuple[float, float], Colormap | str]:
    """From what to what the colours go: equally far on both sides of 0, or from 0 up where nothing is below."""
    low, high = float(values.min()), float(values.max())
    if low >= 0:
        return (0.0, high or 1.0), LEVELS
    reach = max(-low, high)
    return (-reach, reach), diverging_colors()
