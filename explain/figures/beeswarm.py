"""Beeswarm: every row's attribution to every feature, coloured by the feature's value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explain.figures import FIGURES
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LEVELS, NEUTRAL, axes_or_new, name_rows, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.explanation import Explanation

_BINS, _HALF_HEIGHT = 80, 0.38


@picture
def draw_beeswarm(
    names: Sequence[str],
    contributions: ArrayLike,
    levels: ArrayLike,
    *,
    label: str,
    title: str = "",
    limit: int = 12,
    ax: Axes | None = None,
) -> Axes:
    """Draw one dot a row and feature, features by their mean size, dots piled up where there are many.

    Args:
        names: The features ``(P,)``.
        contributions: Attributions ``(N, P)``.
        levels: How high each value is, from 0 to 1 ``(N, P)``; ``NaN`` draws a grey dot, for a value without order.
        label: What the axis shows, with its class and unit.
        title: Title.
        limit: Features that are drawn; the title says how many are not.
        ax: Where to draw; a new figure where there is none.
    """
    sizes, colors = np.asarray(contributions, dtype=float), np.asarray(levels, dtype=float)
    order = np.argsort(-np.abs(sizes).mean(0), kind="stable")[:limit]
    ax = axes_or_new(ax, height=1.4 + 0.36 * len(order))
    ax.axvline(0, color=FAINT, linewidth=1, zorder=0)
    width = np.ptp(sizes[:, order]) or 1.0
    radius = float(np.clip(400 / len(sizes), 4, 16))
    drawn = None
    for row, feature in enumerate(order):
        heights = row + _pile(sizes[:, feature], width)
        plain = np.isnan(colors[:, feature])
        ax.scatter(sizes[plain, feature], heights[plain], s=radius, color=NEUTRAL, linewidths=0, rasterized=True)
        drawn = ax.scatter(
            sizes[~plain, feature],
            heights[~plain],
            c=colors[~plain, feature],
            cmap=LEVELS,
            vmin=0,
            vmax=1,
            s=radius,
            linewidths=0,
            rasterized=True,
        )
    name_rows(ax, [names[i] for i in order])
    if drawn is not None and not np.isnan(colors[:, order]).all():
        bar = ax.figure.colorbar(drawn, ax=ax, aspect=30, pad=0.02, ticks=[0, 1])
        bar.ax.set_yticklabels(["low", "high"])
        bar.set_label("value of the feature" + (" (grey: no order)" if np.isnan(colors[:, order]).any() else ""), color=INK)
        bar.outline.set_visible(False)
    ax.grid(axis="x", color="#EEEEEE")
    ax.set_xlabel(label)
    hidden = len(names) - len(order)
    ax.set_title(title + (f"; {hidden} smaller features not shown" if hidden else ""), loc="left", fontsize="medium")
    tidy_axes(ax, keep=("bottom",))
    return ax


def _pile(values: NDArray[Any], width: float) -> NDArray[Any]:
    """How far each dot moves up or down so that neighbours do not hide each other ``(N,)``."""
    bins = np.floor((values - values.min()) / width * _BINS).astype(int)
    offsets = np.zeros(len(values))
    fullest = max(int(np.bincount(bins).max()), 8)
    for number in np.unique(bins):
        members = np.flatnonzero(bins == number)
        # 0, 1, -1, 2, -2, ...: outwards from the middle.
        steps = (np.arange(len(members)) + 1) // 2 * np.where(np.arange(len(members)) % 2, 1, -1)
        offsets[members] = steps / fullest * 2 * _HALF_HEIGHT
    return offsets


@FIGURES.register
def plot_distribution(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw all rows of an explanation; a feature of several columns, as one-hot groups are, has no order."""
    membership = explanation.modality.membership.flatten().numpy()
    columns = explanation.inputs.flatten(1).double().numpy()
    single = np.bincount(membership, minlength=len(explanation.modality.players)) == 1
    levels = np.full((len(explanation), len(single)), np.nan)
    for element, player in enumerate(membership):
        if single[player]:
            low, spread = columns[:, element].min(), np.ptp(columns[:, element])
            levels[:, player] = (columns[:, element] - low) / spread if spread else 0.5
    told = explanation.shown.any(0).nonzero()[:, 0].tolist()
    return draw_beeswarm(
        [explanation.modality.players[i] for i in told],
        explanation.by_feature()[:, told].numpy(),
        levels[:, told],
        label=explanation.label,
        title=f"Attributions of {len(explanation)} rows ({explanation.method_name})",
        ax=ax,
    )
