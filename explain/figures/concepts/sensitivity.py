"""Sensitivity: how far the output rises for each concept, beside what random concepts do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LOWERS, NEUTRAL, RAISES, axes_or_new, name_rows, signed, tidy_axes, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.concepts.sensitivity import ConceptSensitivity


@picture
def draw_sensitivity(sensitivity: ConceptSensitivity, *, ax: Axes | None = None) -> Axes:
    """Draw the rise of each concept as a bar, over the band of random ones; a star marks what is significant.

    Args:
        sensitivity: What is drawn.
        ax: Where to draw; a new figure where there is none.
    """
    frame = sensitivity.to_frame()
    # The numbers stand beside the bars, however long the names are.
    longest = max(min(width_of(name), 44) for name in frame["concept"])
    ax = axes_or_new(ax, width=6.8 + 0.075 * longest, height=1.9 + 0.62 * len(frame))
    for row, line in enumerate(frame.to_dict("records")):
        color = NEUTRAL if not line["significant"] else RAISES if line["rise"] > 0 else LOWERS
        ax.barh(row, line["random_high"] - line["random_low"], left=line["random_low"], height=0.78, color=FAINT, alpha=0.45, zorder=0)
        ax.barh(row, line["rise"], height=0.4, color=color)
        said = f"{signed(line['rise'])}{' *' if line['significant'] else ''}   p = {line['p']:.2g}, told apart in {line['accuracy']:.0%}"
        end = max(line["rise"], line["random_high"], 0)
        ax.annotate(said, (end, row), (6, 0), textcoords="offset points", va="center", fontsize="small", color=INK)
    name_rows(ax, frame["concept"])
    reach = float(np.abs(frame[["rise", "random_low", "random_high"]].to_numpy()).max()) or 1.0
    low = min(float(frame["rise"].min()), float(frame["random_low"].min()), 0.0)
    ax.set_xlim(low - 0.08 * reach, reach * 2.1)
    ax.set_xticks([tick for tick in ax.get_xticks() if low - 0.08 * reach <= tick <= 1.05 * reach])
    ax.axvline(0, color=INK, linewidth=0.8)
    many = f"; p counts {len(frame)} concepts (Bonferroni)" if len(frame) > 1 else ""
    label = (
        f"how far the {sensitivity.unit} rises in a concept's direction, as a share of its steepest rise; "
        f"grey bands: 95 % of {sensitivity.random.shape[1]} random concepts; *: found, and p at most {sensitivity.alpha:g}{many}"
    )
    ax.set_xlabel(label)
    ax.set_title(f"Concepts at the layer {sensitivity.layer}, over {sensitivity.inputs} inputs", loc="left", fontsize="medium")
    tidy_axes(ax, keep=("bottom",))
    return ax
