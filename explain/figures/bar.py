"""Bars: how much each feature matters over many rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from explain.figures import FIGURES
from explain.figures._picture import picture
from explain.figures._style import INK, LOWERS, NEUTRAL, RAISES, axes_or_new, name_rows, name_value, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.explanation import Explanation


@picture
def draw_bar(
    names: Sequence[str],
    values: ArrayLike,
    *,
    label: str,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    title: str = "",
    limit: int = 15,
    ax: Axes | None = None,
) -> Axes:
    """Draw one bar a name, the largest on top; those beyond `limit` are summed into a last, grey one.

    Where some are below 0, those above are orange.

    Args:
        names: What each bar is ``(P,)``.
        values: Its length ``(P,)``.
        label: What the lengths are, with their unit.
        low: Lower ends of intervals ``(P,)``, drawn with `high` as whiskers.
        high: Upper ends of intervals ``(P,)``.
        title: Title.
        limit: Names that get a bar of their own.
        ax: Where to draw; a new figure where there is none.
    """
    lengths = np.asarray(values, dtype=float)
    order = np.argsort(-np.abs(lengths), kind="stable")
    both = bool((lengths < 0).any())
    shown, rest = order[:limit], order[limit:]
    ax = axes_or_new(ax, height=1.2 + 0.28 * (len(shown) + bool(len(rest))))
    places = np.arange(len(shown))
    ax.barh(places, lengths[shown], color=[RAISES if both and length > 0 else LOWERS for length in lengths[shown]], height=0.66)
    if low is not None and high is not None:
        ends = np.stack([lengths[shown] - np.asarray(low)[shown], np.asarray(high)[shown] - lengths[shown]])
        ax.errorbar(lengths[shown], places, xerr=ends, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
    labels = [names[i] for i in shown]
    if len(rest):
        ax.barh(len(shown), lengths[rest].sum(), color=NEUTRAL, height=0.66)
        labels.append(f"{len(rest)} others, summed")
    name_rows(ax, labels)
    if both:
        ax.axvline(0, color=INK, linewidth=0.9)
    else:
        ax.set_xlim(left=0)
    ax.grid(axis="x", color="#EEEEEE")
    ax.set_xlabel(label)
    ax.set_title(title, loc="left", fontsize="medium")
    tidy_axes(ax, keep=("bottom",))
    return ax


@FIGURES.register
def plot_importance(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw the mean size of each feature's attribution, or of one row the attributions themselves."""
    players, method = explanation.modality.players, explanation.method_name
    told = explanation.shown.any(0).nonzero()[:, 0].tolist()
    if len(explanation) > 1:
        return draw_bar(
            [players[i] for i in told],
            explanation.importance()[told].numpy(),
            label=f"mean size of the {explanation.label}",
            title=f"Importance over {len(explanation)} rows ({method})",
            ax=ax,
        )
    words = explanation.modality.words(explanation.inputs)[0]
    return draw_bar(
        [name_value(players[i], words[players[i]]) for i in told],
        explanation.by_feature()[0, told].numpy(),
        label=explanation.label,
        title=f"One row, explained by {method}",
        ax=ax,
    )
