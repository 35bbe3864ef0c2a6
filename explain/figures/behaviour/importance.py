"""Importance: what the decisions lose without each feature, as bars with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LOWERS, NEUTRAL, axes_or_new, name_rows, signed, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.behaviour.permutation_importance import Importance

_NAMES = {"accuracy": "accuracy", "log_loss": "log-loss", "auc": "area under the ROC curve"}


@picture
def draw_importance(importance: Importance, *, limit: int = 15, ax: Axes | None = None) -> Axes:
    """Draw the most important features, the largest on top; those whose interval includes nothing lost are grey.

    Args:
        importance: What is drawn.
        limit: How many features.
        ax: Where to draw; a new figure where there is none.
    """
    frame = importance.to_frame()
    hidden, frame = len(frame) - min(limit, len(frame)), frame.head(limit)
    values, low, high = (frame[name].to_numpy(dtype=float) for name in ("value", "low", "high"))
    ax = axes_or_new(ax, width=7.4, height=1.5 + 0.34 * len(frame))
    sure = (low > 0) | (high < 0)
    ax.barh(range(len(frame)), values, color=[LOWERS if clear else NEUTRAL for clear in sure], height=0.62)
    ax.hlines(range(len(frame)), low, high, color=INK, linewidth=1.2)
    for row, (value, end) in enumerate(zip(values, high, strict=True)):
        ax.annotate(signed(value), (max(end, value, 0), row), (5, 0), textcoords="offset points", va="center", fontsize="small", color=INK)
    name_rows(ax, frame["feature"])
    ax.axvline(0, color=FAINT, linewidth=0.9, zorder=0)
    ax.margins(x=0.12)
    performance = importance.performance
    more = f"; {hidden} features not shown" if hidden else ""
    ax.set_xlabel(f"{importance.unit} when the feature comes from another row; grey: no clear loss; lines: 95 % intervals{more}")
    ax.set_title(
        f"What the decisions rest on: {_NAMES[importance.measure]} is {performance.value:.3g} on {performance.n:,} rows",
        loc="left",
        fontsize="medium",
    )
    tidy_axes(ax, keep=("bottom",))
    return ax
