"""Waterfall: how one row's features lead from the baseline's output to its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from classifier.errors import ConfigurationError, NotApplicableError
from explain.figures import FIGURES
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LOWERS, NEUTRAL, RAISES, VISIBLE, axes_or_new, name_rows, name_value, signed, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.explanation import Explanation

# Under a number, so that no line runs through it.
_GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}


@picture
def draw_waterfall(
    names: Sequence[str],
    contributions: ArrayLike,
    *,
    base_value: float,
    value: float,
    label: str,
    errors: ArrayLike | None = None,
    title: str = "",
    limit: int = 9,
    words: tuple[str, str, str] = ("baseline", "this row", "not accounted for"),
    ax: Axes | None = None,
) -> Axes:
    """Draw contributions as steps from `base_value` to `value`, the largest on top.

    Steps beyond `limit` are summed into one. What the contributions leave unexplained has a grey step of
    its own where it is visible.

    Args:
        names: What each step is, ``"amount = 1,200 DM"`` ``(P,)``.
        contributions: Its size ``(P,)``.
        base_value: Where the steps start.
        value: Where they should end.
        label: What the axis shows, with its class and unit.
        errors: Standard errors ``(P,)``, written beside the steps.
        title: Title.
        limit: Names that get a step of their own.
        words: What the start, the end and an unexplained rest are called, where the reader has another language.
        ax: Where to draw; a new figure where there is none.
    """
    sizes = np.asarray(contributions, dtype=float)
    order = np.argsort(-np.abs(sizes), kind="stable")
    shown, rest = order[:limit], order[limit:]
    labels, steps = [names[i] for i in shown], [float(sizes[i]) for i in shown]
    texts = [signed(sizes[i]) if errors is None else f"{signed(sizes[i])} ± {np.asarray(errors)[i]:.1g}" for i in shown]
    if len(rest):
        labels.append(f"{len(rest)} other features")
        steps.append(float(sizes[rest].sum()))
        texts.append(signed(steps[-1]))
    colors = [RAISES if step > 0 else LOWERS for step in steps]
    gap = value - base_value - sum(steps)
    if abs(gap) > VISIBLE * (np.ptp(base_value + np.cumsum([0, *steps])) or 1):
        labels, steps, texts, colors = [*labels, words[2]], [*steps, gap], [*texts, signed(gap)], [*colors, NEUTRAL]
    corners = base_value + np.cumsum([0, *steps])

    ax = axes_or_new(ax, height=1.7 + 0.36 * len(steps))
    ax.barh(range(len(steps)), steps, left=corners[:-1], color=colors, height=0.62)
    for row, corner in enumerate(corners[1:-1]):
        ax.plot([corner, corner], [row - 0.31, row + 1.31], color=FAINT, linewidth=0.8, zorder=0)
    room = np.ptp(corners) or 1
    for row, (step, start, text) in enumerate(zip(steps, corners[:-1], texts, strict=True)):
        ax.text(max(start, start + step) + 0.012 * room, row, text, va="center", fontsize="small", color=INK, bbox=_GROUND)
    name_rows(ax, labels)
    ax.set_xlim(corners.min() - 0.06 * room, corners.max() + (0.16 if errors is None else 0.32) * room)
    for place, name, style in ((base_value, words[0], ":"), (value, words[1], "-")):
        ax.axvline(place, color=INK, linewidth=0.9, linestyle=style, zorder=0)
        ax.annotate(
            f"{name}\n{signed(place)}",
            (place, 1),
            (3 if place == max(base_value, value) else -3, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="left" if place == max(base_value, value) else "right",
            va="bottom",
            fontsize="small",
            color=INK,
        )
    ax.set_xlabel(label)
    ax.set_title(title, loc="left", fontsize="medium", pad=30)
    tidy_axes(ax, keep=("bottom",))
    return ax


@FIGURES.register
def plot_row(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw the one row of an explanation.

    Raises:
        NotApplicableError: If its numbers are no contributions, which alone lead from the base value to the output.
        ConfigurationError: If it has more than one.
    """
    if explanation.quantity != "contribution":
        raise NotApplicableError(
            f"a waterfall adds contributions up, and {explanation.method} gives each part its {explanation.quantity}",
            remedy='draw explanation.plot("bar")',
        )
    if len(explanation) != 1:
        raise ConfigurationError(
            f"a waterfall shows one row, got {len(explanation)}", remedy='choose one, as in explanation[0].plot("waterfall")'
        )
    players, words = explanation.modality.players, explanation.modality.words(explanation.inputs)[0]
    told = explanation.shown[0].nonzero()[:, 0].tolist()
    error = explanation.standard_error
    return draw_waterfall(
        [name_value(players[i], words[players[i]]) for i in told],
        explanation.by_feature()[0, told].numpy(),
        base_value=float(explanation.base_value[0]),
        value=float(explanation.value[0]),
        errors=None if error is None else error[0, told].numpy(),
        label=explanation.unit,
        title=f"One row, explained by {explanation.method_name}",
        ax=ax,
    )
