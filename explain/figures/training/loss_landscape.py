"""Loss landscape: the loss around the weights that were learned, as a line or as lines of equal loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explain.figures._picture import picture
from explain.figures._style import INK, LEVELS, LOWERS, RAISES, axes_or_new, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.internals.landscape import LossLandscape

_LINES = 14


@picture
def draw_loss_landscape(landscape: LossLandscape, *, ax: Axes | None = None) -> Axes:
    """Draw the loss along one random direction, or over two; the star is the network itself.

    The lines of equal loss are drawn at even steps of the logarithm, since a loss may grow a thousandfold.

    Args:
        landscape: What `loss_landscape` gives.
        ax: Where to draw; a new figure where there is none.
    """
    places, losses = landscape.places, landscape.losses
    heading = f"Loss around the network, {landscape.rows} rows: {landscape.loss:.3g} in the middle"
    if losses.ndim == 1:
        ax = axes_or_new(ax, width=6.4, height=3.8)
        ax.plot(places, losses, color=LOWERS, linewidth=2)
        ax.plot([0], [landscape.loss], "*", color=RAISES, markeredgecolor=INK, markersize=14)
        ax.set_ylabel("cross-entropy loss (nats)")
        ax.grid(axis="y", color="#EEEEEE")
    else:
        ax = axes_or_new(ax, width=6.4, height=5.0)
        finite = losses[np.isfinite(losses)]
        low, high = max(float(finite.min()), 1e-12), float(finite.max())
        levels = np.geomspace(low, max(high, low * 1.0001), _LINES + 1)
        shown = np.clip(np.where(np.isfinite(losses), losses, high), low, None).T
        filled = ax.contourf(places, places, shown, levels=levels, cmap=LEVELS, norm="log")
        lines = ax.contour(places, places, shown, levels=levels[1:-1], colors="white", linewidths=0.6)
        ax.clabel(lines, levels=levels[2:-1:3], fmt="%.2g", fontsize="x-small")
        ax.plot([0], [0], "*", color=RAISES, markeredgecolor=INK, markersize=15)
        bar = ax.figure.colorbar(filled, ax=ax, pad=0.02, ticks=levels[::3], format="%.2g")
        bar.set_label("cross-entropy loss (nats)", color=INK)
        bar.outline.set_visible(False)
        bar.ax.minorticks_off()
        ax.set_ylabel("second direction (multiple of each filter's size)")
        ax.set_aspect("equal")
    ax.set_xlabel(f"{'first' if losses.ndim > 1 else 'random'} direction (multiple of each filter's size)")
    ax.set_title(heading, loc="left", fontsize="medium")
    tidy_axes(ax)
    return ax
