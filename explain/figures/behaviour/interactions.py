"""Interactions: a matrix of what players do alone, on its diagonal, and only together, below it."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

import numpy as np
import torch

from explain.figures._picture import picture
from explain.figures._style import INK, LOWERS, axes_or_new, diverging_colors, name_value, shorten, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.games.interacting import Interactions

# More cells than this leave no room for numbers in them.
_NUMBERS = 14


@picture
def draw_interactions(interactions: Interactions, *, limit: int = 10, ax: Axes | None = None) -> Axes:
    """Draw the players with the largest effects, the largest first; over several rows the mean size.

    Args:
        interactions: What is drawn.
        limit: How many players.
        ax: Where to draw; a new figure where there is none.
    """
    single = len(interactions) == 1
    values = interactions.values[0] if single else interactions.values.abs().mean(0)
    weight = values.abs().sum(1)
    order = weight.argsort(descending=True, stable=True)[: min(limit, int((weight > 0).sum()) or 1)]
    shown = values[order][:, order].numpy()
    count = len(order)
    words = interactions.modality.words(interactions.inputs[:1])[0] if single else {}
    names = [interactions.players[i] for i in order.tolist()]
    labels = [name_value(name, words[name]) if words else shorten(name, 30) for name in names]
    hidden = np.triu(np.ones_like(shown, dtype=bool), 1)
    largest = float(np.abs(shown).max()) or 1.0

    from matplotlib.colors import LinearSegmentedColormap

    ax = axes_or_new(ax, width=3.4 + 0.62 * count, height=2.2 + 0.46 * count)
    colors = diverging_colors() if single else LinearSegmentedColormap.from_list("size", ["#FFFFFF", LOWERS])
    image = ax.imshow(
        np.ma.masked_array(shown, hidden), cmap=colors, vmin=-largest if single else 0, vmax=largest, aspect="auto", interpolation="nearest"
    )
    ax.set_xticks(range(count), [shorten(name, 18) for name in names], rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(count), labels)
    if count <= _NUMBERS:
        for i, j in zip(*np.nonzero(~hidden), strict=True):
            dark = image.cmap(image.norm(shown[i, j]))[:3] @ np.array([0.299, 0.587, 0.114]) < 0.5
            text = _number(float(shown[i, j]), largest, single)
            weight_of = "bold" if i == j else "normal"
            ax.text(j, i, text, ha="center", va="center", fontsize="small", color="white" if dark else INK, fontweight=weight_of)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.outline.set_visible(False)
    unit = interactions.unit
    bar.set_label(f"contribution to the {unit}" if single else f"mean size, {unit}")
    left_out = len(torch.nonzero(weight)) - count
    more = f"; {left_out} players with less not shown" if left_out > 0 else ""
    rows = "one row" if single else f"{len(interactions)} rows"
    kind = "" if interactions.exact else ", estimated"
    ax.set_title(f"Alone (diagonal, bold) and only together: {rows}{kind}{more}", loc="left", fontsize="medium")
    tidy_axes(ax, keep=())
    return ax


def _number(value: float, largest: float, with_sign: bool) -> str:
    """A number to as many places as the largest has with three digits, so that all can be compared at a glance."""
    places = max(0, 2 - floor(log10(largest)))
    text = f"{value:+.{places}f}" if with_sign else f"{value:.{places}f}"
    return text.replace("-", "−") if float(text) else "0"
