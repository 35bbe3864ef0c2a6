"""Attention heads: a matrix for each layer and head, from the token that asks to the one that answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classifier.errors import ConfigurationError
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LOWERS, axes_or_new, shorten, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from explain.internals.attention_view import AttentionView

# Tokens that have a line each, and letters of their names.
_TOKENS, _LETTERS = 20, 14


@picture
def draw_attention_heads(view: AttentionView, row: int = 0, *, layers: int = 4, heads: int = 4) -> Figure:
    """Draw the attention of one input: each row of a matrix is a token that asks, and shares out 1 among those that answer.

    All matrices are to one scale. Of many layers, heads or tokens some are drawn, and the title says which: layers from
    the first to the last, the first heads, and the tokens that get most.

    Args:
        view: What a network attended to.
        row: The input, from 0.
        layers: Layers that are drawn at most.
        heads: Heads that are drawn at most.

    Raises:
        ConfigurationError: If there is no such input, or nothing is to be drawn.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    view.require(row)
    if layers < 1 or heads < 1:
        raise ConfigurationError(f"layers and heads must be at least 1, got {layers} and {heads}")
    if view.pooling:
        return _pooling_figure(view, row)
    shown = np.unique(np.linspace(0, view.layers - 1, min(layers, view.layers)).round().astype(int))
    columns = min(heads, view.heads)
    tokens = busiest_tokens(view, row)
    names = [shorten(view.tokens[row][token], _LETTERS) for token in tokens]
    weights = view.weights[row].numpy()[:, :, tokens][:, :, :, tokens]
    side = max(1.7, 0.17 * len(tokens) + 0.5)
    figure = Figure(figsize=(columns * side + 1.9, len(shown) * (side + 0.25) + 1.5), layout="constrained")
    FigureCanvasAgg(figure)
    colors = LinearSegmentedColormap.from_list("attention", ["#FFFFFF", "#9CC9E6", LOWERS, "#00304D"])
    highest = float(weights[shown][:, :columns].max()) or 1.0
    for line, layer in enumerate(shown):
        for head in range(columns):
            ax = figure.add_subplot(len(shown), columns, line * columns + head + 1)
            image = ax.imshow(weights[layer, head], cmap=colors, vmin=0, vmax=highest, interpolation="nearest")
            _frame(ax, names, left=head == 0, below=line == len(shown) - 1)
            ax.set_title(f"layer {layer + 1}, head {head + 1}", loc="left", fontsize="small", color=INK)
    figure.supylabel("token that asks", fontsize="medium", color=INK)
    figure.supxlabel("token that answers", fontsize="medium", color=INK)
    bar = figure.colorbar(image, ax=figure.axes, shrink=0.6, aspect=30, pad=0.02)
    bar.set_label("attention weight (a row of all tokens sums to 1)", color=INK)
    bar.outline.set_visible(False)
    left_out = _left_out(view, row, len(tokens), columns, len(shown))
    figure.suptitle(f"What the tokens attended to{left_out}", x=0.01, ha="left", fontsize="medium")
    return figure


def busiest_tokens(view: AttentionView, row: int, limit: int = _TOKENS) -> NDArray[np.int64]:
    """The tokens of one input that get most attention, in their order."""
    here: NDArray[np.int64] = view.there[row].numpy().nonzero()[0]
    received = view.weights[row].mean((0, 1)).sum(0).numpy()[here]
    return np.sort(here[np.argsort(-received, kind="stable")[:limit]])


def _pooling_figure(view: AttentionView, row: int) -> Figure:
    """How much each step weighs in the mean that the answer takes of them."""
    ax = axes_or_new(None, width=7.2, height=3.2)
    here = view.there[row].numpy().nonzero()[0]
    values = view.weights[row, 0, :, 0].numpy().mean(0)[here]
    ax.bar(np.arange(len(here)), values, color=LOWERS, width=0.8)
    ax.axhline(1 / len(here), color=INK, linewidth=0.9, linestyle=":")
    ax.annotate("all alike", (len(here) - 0.4, 1 / len(here)), (2, 2), textcoords="offset points", fontsize="small", va="bottom")
    step = max(1, len(here) // 12)
    ax.set_xticks(np.arange(0, len(here), step), [view.tokens[row][token].removeprefix("step ") for token in here[::step]])
    ax.set_xlabel("step")
    ax.set_ylabel("attention weight (sums to 1)")
    ax.set_title("How much each step weighs in the mean that the answer takes", loc="left", fontsize="medium")
    ax.grid(axis="y", color="#EEEEEE")
    tidy_axes(ax)
    return ax.figure  # type: ignore[return-value]  # axes of a figure of their own


def _frame(ax: Axes, names: Sequence[str], *, left: bool, below: bool) -> None:
    ax.set_yticks(range(len(names)), names if left else [""] * len(names), fontsize="x-small")
    ax.set_xticks(range(len(names)), names if below else [""] * len(names), fontsize="x-small", rotation=90)
    ax.tick_params(length=0, colors=INK)
    for spine in ax.spines.values():
        spine.set_color(FAINT)


def _left_out(view: AttentionView, row: int, tokens: int, heads: int, layers: int) -> str:
    """What is not drawn, in words."""
    pairs = ((layers, view.layers, "layers"), (heads, view.heads, "heads"), (tokens, int(view.there[row].sum()), "tokens"))
    parts = [f"{shown} of {count} {name}" for shown, count, name in pairs if shown < count]
    return f" ({', '.join(parts)})" if parts else ""
