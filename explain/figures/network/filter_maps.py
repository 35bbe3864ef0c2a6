"""Filter maps: the weights of a layer as pictures, or as a heat map by what they look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classifier.errors import ConfigurationError
from explain.figures._picture import picture
from explain.figures._style import INK, axes_or_new, diverging_colors, shorten, tidy_axes
from explain.figures.network._tiles import draw_tiles, largest_first

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from explain.internals.kernels import Filters

_CHANNELS, _INPUTS = 6, 30


@picture
def draw_filters(found: Filters, *, limit: int = 16) -> Figure:
    """Draw the filters of a convolution as pictures, one a channel, and the weights of units as a heat map.

    Filters of red, green and blue are drawn in their colours, grey where the weight is 0. The largest are drawn.

    Args:
        found: What `filters` gives.
        limit: Filters or units that are drawn at most.

    Raises:
        ConfigurationError: If nothing is to be drawn.
    """
    if limit < 1:
        raise ConfigurationError(f"limit must be at least 1, got {limit}")
    weights = found.weights.double().numpy()
    units = largest_first(np.sqrt((weights.reshape(len(weights), -1) ** 2).sum(1)), limit)
    of = f"{len(units)} of {len(weights)}, the largest" if len(units) < len(weights) else f"all {len(weights)}"
    reach = float(np.abs(weights[units]).max()) or 1.0
    if weights.ndim == 4 and found.original and weights.shape[1] == 3:
        pictures = [0.5 + 0.5 * weights[unit].transpose(1, 2, 0) / reach for unit in units]
        names = [f"filter {unit}" for unit in units]
        return draw_tiles(pictures, names, title=f"Filters of layer {found.layer} ({of})", label="", colors=None, limits=(0, 1))
    if weights.ndim >= 4:
        flat = weights.reshape(*weights.shape[:2], -1, weights.shape[-1])
        channels = min(flat.shape[1], _CHANNELS)
        several = f"; {channels} of {flat.shape[1]} channels each" if channels < flat.shape[1] else ""
        return draw_tiles(
            [flat[unit, channel] for unit in units for channel in range(channels)],
            [
                f"filter {unit}" + (f", {shorten(found.inputs[channel], 12)}" if flat.shape[1] > 1 else "")
                for unit in units
                for channel in range(channels)
            ],
            title=f"Filters of layer {found.layer} ({of}{several})",
            label="weight",
            colors=diverging_colors(),
            limits=(-reach, reach),
            columns=8 if channels == 1 else channels,
        )
    return _table(found, weights[units] if weights.ndim == 2 else weights[units].reshape(len(units), -1), units, of, reach)


def _table(
    found: Filters,
    weights: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    units: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    of: str,
    reach: float,
) -> Figure:
    """Weights as a heat map: a row for each input, a column for each unit."""
    names = list(found.inputs)
    if found.weights.dim() == 3:
        width = found.weights.shape[2]
        names = [f"{shorten(name, 20)}, place {place + 1}" for name in names for place in range(width)]
    inputs = largest_first(np.sqrt((weights**2).sum(0)), _INPUTS)
    ax = axes_or_new(None, width=max(5.4, 2.6 + 0.27 * len(units)), height=1.4 + 0.21 * len(inputs))
    image = ax.imshow(weights[:, inputs].T, cmap=diverging_colors(), vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest")
    ax.set_yticks(range(len(inputs)), [shorten(names[place], 30) for place in inputs], fontsize="small")
    ax.set_xticks(range(len(units)), [str(unit) for unit in units], fontsize="small")
    ax.set_xlabel("unit")
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label("weight", color=INK)
    bar.outline.set_visible(False)
    left = f"; {len(inputs)} of {len(names)} inputs, the largest" if len(inputs) < len(names) else ""
    ax.set_title(f"Weights of layer {found.layer}\n{of} units{left}", loc="left", fontsize="medium")
    tidy_axes(ax, keep=())
    return ax.figure  # type: ignore[return-value]  # axes of a figure of their own
