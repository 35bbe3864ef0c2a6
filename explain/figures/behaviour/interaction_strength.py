"""Interaction strength: what pairs of features do only together, as bars with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.errors import ConfigurationError, did_you_mean
from explain.behaviour.h_statistic import ALL_OTHERS
from explain.figures._picture import picture
from explain.figures._style import INK, LOWERS, axes_or_new, name_rows, shorten, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.behaviour.h_statistic import InteractionStrength


@picture
def draw_interaction_strength(
    strength: InteractionStrength, *, target: str | None = None, total: bool = False, limit: int = 12, ax: Axes | None = None
) -> Axes:
    """Draw the strongest pairs, or the strongest features with all others; beside each bar stands H.

    Args:
        strength: What is drawn.
        target: The class; by default the one that the largest of them is of.
        total: Whether to draw each feature with all others, instead of pairs.
        limit: How many bars.
        ax: Where to draw; a new figure where there is none.

    Raises:
        ConfigurationError: If there is no such class.
    """
    if target is not None and target not in strength.classes:
        raise ConfigurationError(f"there is no class {target!r}", remedy=did_you_mean(target, strength.classes))
    frame = strength.to_frame()
    frame = frame[(frame["with"] == ALL_OTHERS) == total]
    name = target or str(frame["(class)"].iloc[0])
    frame = frame[frame["(class)"] == name]
    hidden, frame = max(0, len(frame) - limit), frame.head(limit)
    ax = axes_or_new(ax, width=7.6, height=1.6 + 0.36 * len(frame))
    ax.barh(range(len(frame)), frame["size"], color=LOWERS, height=0.62)
    ax.hlines(range(len(frame)), frame["size_low"], frame["size_high"], color=INK, linewidth=1.2)
    shares = zip(frame["share"], frame["small"], frame[["size", "size_high"]].max(axis=1), strict=True)
    for row, (share, small, end) in enumerate(shares):
        said = "H of very little" if small else f"H = {share:.2f}"
        ax.annotate(said, (end, row), (5, 0), textcoords="offset points", va="center", fontsize="small", color=INK)
    pairs = zip(frame["feature"], frame["with"], strict=True)
    name_rows(ax, frame["feature"] if total else [f"{shorten(first, 20)} × {shorten(second, 20)}" for first, second in pairs])
    ax.margins(x=0.18)
    ax.set_xlim(left=0)
    unit, spread = strength.unit.replace("each class", name), strength.spread[strength.classes.index(name)]
    more = f"; {hidden} smaller ones not shown" if hidden else ""
    ax.set_xlabel(
        f"root mean square in {unit}, which itself spreads by {spread:.3g}\n"
        f"lines: {strength.confidence:.0%} intervals over {strength.rows} rows\nH: share of the joint effect{more}"
    )
    ax.set_title(
        "What each feature does only with others" if total else "What two features do only together", loc="left", fontsize="medium"
    )
    tidy_axes(ax, keep=("bottom",))
    return ax
