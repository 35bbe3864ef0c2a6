"""Decision: how the features lead each row from the baseline's output to its own, all rows in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from classifier.errors import NotApplicableError
from explain.figures import FIGURES
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LOWERS, RAISES, VISIBLE, axes_or_new, name_rows, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.explanation import Explanation


@picture
def draw_decision(
    names: Sequence[str],
    contributions: ArrayLike,
    *,
    base_values: ArrayLike,
    values: ArrayLike | None = None,
    label: str,
    title: str = "",
    limit: int = 15,
    ax: Axes | None = None,
) -> Axes:
    """Draw a line for each row from its base value, at the bottom, to its output, at the top.

    Each step adds the contribution of one feature, the least important first; those beyond `limit` make the first step
    together. What the contributions leave unexplained is the last step, on a grey ground, where it is visible. A line is
    orange where the row ends above its base value and blue where it ends below.

    Args:
        names: The features ``(P,)``.
        contributions: Contributions ``(N, P)``.
        base_values: Where the lines start ``(N,)``.
        values: Where they should end ``(N,)``; by default where the contributions lead.
        label: What the axis shows, with its class and unit.
        title: Title.
        limit: Features with a step of their own.
        ax: Where to draw; a new figure where there is none.
    """
    sizes, start = np.asarray(contributions, dtype=float), np.asarray(base_values, dtype=float)
    order = np.argsort(-np.abs(sizes).mean(0), kind="stable")
    shown, rest = order[:limit], order[limit:]
    steps = sizes[:, shown[::-1]]
    labels = [names[i] for i in shown]
    if len(rest):
        steps = np.concatenate([sizes[:, rest].sum(1, keepdims=True), steps], axis=1)
        labels.append(f"{len(rest)} other features")
    # The first of the labels is the last step: features are read from the top.
    path = start[:, None] + np.concatenate([np.zeros((len(sizes), 1)), steps.cumsum(1)], axis=1)
    gap = np.zeros(len(sizes)) if values is None else np.asarray(values, dtype=float) - path[:, -1]
    missed = bool(np.abs(gap).max(initial=0) > VISIBLE * (np.ptp(path) or 1))
    if missed:
        labels, path = ["not accounted for", *labels], np.concatenate([path, path[:, -1:] + gap[:, None]], axis=1)
    ax = axes_or_new(ax, height=1.6 + 0.34 * len(labels))
    heights = np.arange(len(labels), -1, -1) - 0.5
    if missed:
        ax.axhspan(-0.5, 0.5, color="#EEEEEE", zorder=0)
    alpha = float(np.clip(30 / len(sizes), 0.12, 0.9))
    for line in path:
        ax.plot(line, heights, color=RAISES if line[-1] >= line[0] else LOWERS, alpha=alpha, linewidth=1.1, solid_capstyle="butt")
    for height in range(len(labels)):
        ax.axhline(height, color="#EEEEEE", linewidth=0.8, zorder=0)
    ax.axvline(float(start.mean()), color=FAINT, linewidth=1, linestyle=":", zorder=0)
    name_rows(ax, labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.set_xlabel(label)
    ax.set_title(title, loc="left", fontsize="medium", color=INK)
    tidy_axes(ax, keep=("bottom",))
    return ax


@FIGURES.register
def plot_decision(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw all rows of an explanation.

    Raises:
        NotApplicableError: If its numbers are no contributions, which alone lead from the base value to the output.
    """
    if explanation.quantity != "contribution":
        raise NotApplicableError(
            f"a decision picture adds contributions up, and {explanation.method} gives each part its {explanation.quantity}",
            remedy='draw explanation.plot("bar")',
        )
    told = explanation.shown.any(0).nonzero()[:, 0].tolist()
    return draw_decision(
        [explanation.modality.players[i] for i in told],
        explanation.by_feature()[:, told].numpy(),
        base_values=explanation.base_value.numpy(),
        values=explanation.value.numpy(),
        label=explanation.unit,
        title=f"From the baseline (below) to the output of {len(explanation)} rows ({explanation.method_name})",
        ax=ax,
    )
