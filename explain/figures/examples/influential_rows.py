"""Influential rows: the training rows that weigh most over all inputs, and which way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from explain.figures._picture import picture
from explain.figures._style import INK, LOWERS, RAISES, axes_or_new, name_rows, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.training_data.influence import Influence

_MOST = 15


@picture
def plot_rows(influence: Influence, ax: Axes | None = None) -> Axes:
    """Draw the fifteen strongest training rows over all inputs, one point an input; a bar marks the mean size of a row's scores."""
    strength = influence.strength()
    rows = torch.argsort(strength, descending=True, stable=True)[:_MOST]
    scores = influence.scores[:, rows].numpy()
    ax = axes_or_new(ax, height=1.4 + 0.3 * len(rows))
    # The same places for the same inputs in every row, so that points that fall together are seen.
    shift = 0.5 * ((np.arange(len(scores)) * 0.618) % 1 - 0.5)
    for place in range(len(rows)):
        values = scores[:, place]
        ax.barh(place, float(strength[rows[place]]), color="#E4E4E4", height=0.75, zorder=0)
        ax.scatter(values, place + shift, s=9, c=np.where(values > 0, RAISES, LOWERS), linewidths=0, alpha=0.85, zorder=2)
    ax.axvline(0, color=INK, linewidth=0.8)
    name_rows(ax, [f"row {int(influence.ids[row])}, {influence.classes[int(influence.labels[row])]}" for row in rows])
    ax.set_xlabel(f"{influence.meaning}\ngrey: mean size; a point: one of {len(scores)} inputs")
    title = f"The strongest of {len(influence.ids):,} training rows, estimated by {influence.method_name}"
    ax.set_title(title, loc="left", fontsize="medium")
    tidy_axes(ax, keep=("bottom",))
    return ax
