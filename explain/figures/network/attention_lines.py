"""Attention lines: one layer's attention as lines from the tokens that ask to those that answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explain.figures._picture import picture
from explain.figures._style import INK, LOWERS, axes_or_new, shorten
from explain.figures.network.attention_heads import busiest_tokens

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.internals.attention_view import AttentionView

# More lines than these only blur the picture.
_LINES = 48


@picture
def draw_attention_lines(view: AttentionView, row: int = 0, *, layer: int = 1, head: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw who asks whom: the wider a line, the farther its weight is above an even share.

    An even share is 1 divided by the number of tokens. Weights up to that have no line, and the 48 largest of the
    others have one. A line straight across is what a token takes of itself.

    Args:
        view: What a network attended to.
        row: The input, from 0.
        layer: The layer, from 1.
        head: The head, from 1; by default the mean of all.
        ax: Where to draw; a new figure where there is none.

    Raises:
        ConfigurationError: If there is no such input, layer or head.
    """
    from matplotlib.collections import LineCollection

    view.require(row, layer, head)
    tokens = busiest_tokens(view, row)
    chosen = view.weights[row, layer - 1]
    weights = (chosen.mean(0) if head is None else chosen[head - 1]).numpy()
    names = [shorten(view.tokens[row][token], 22) for token in tokens]
    asking = ["the answer"] if view.pooling else names
    weights = weights[:, tokens] if view.pooling else weights[np.ix_(tokens, tokens)]
    starts = np.linspace(0, len(tokens) - 1, len(asking)) if len(asking) > 1 else np.array([(len(tokens) - 1) / 2])
    ax = axes_or_new(ax, width=5.6, height=1.2 + 0.24 * len(tokens))
    even = 1 / int(view.there[row].sum())
    excess = (weights - even).clip(0)
    limit = np.sort(excess, axis=None)[-_LINES:][0]
    drawn = [(q, t) for q, t in np.ndindex(*weights.shape) if excess[q, t] > 0 and excess[q, t] >= limit]
    sizes = np.array([excess[pair] / excess.max() for pair in drawn])
    ends = np.array([[(0.0, starts[q]), (1.0, t)] for q, t in drawn]).reshape(-1, 2, 2)
    lines = LineCollection(list(ends), colors=LOWERS, linewidths=0.5 + 4.5 * sizes, alpha=0.2 + 0.75 * sizes, capstyle="round")
    ax.add_collection(lines)
    for place, names_there, x, side in ((starts, asking, -0.03, "right"), (np.arange(len(tokens)), names, 1.03, "left")):
        for y, name in zip(place, names_there, strict=True):
            ax.text(x, y, name, ha=side, va="center", fontsize="small", color=INK)
    ax.text(-0.03, -1.0, "asks", ha="right", va="center", fontsize="small", color=INK, fontstyle="italic")
    ax.text(1.03, -1.0, "answers", ha="left", va="center", fontsize="small", color=INK, fontstyle="italic")
    ax.set_xlim(-0.7, 1.7)
    ax.set_ylim(len(tokens) - 0.4, -1.6)
    ax.set_axis_off()
    heads = f"mean of {view.heads} heads" if head is None and view.heads > 1 else f"head {head or 1}"
    said = f"{len(drawn)} weights of {even:.3f} (an even share) to {weights.max():.3f}"
    ax.set_title(f"Attention in layer {layer}, {heads}\n{said}", loc="left", fontsize="medium")
    return ax
