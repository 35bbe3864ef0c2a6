"""Series: each variable over its steps, on a ground coloured by the attributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modalities.sequence import Series
from explain.figures import FIGURES
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, axes_or_new, diverging_colors, shorten, signed, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.explanation import Explanation

_MOST = 8


@FIGURES.register
@picture
def plot_series(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw the one series of an explanation, its variables one below the other, each between its own lowest and highest value.

    Where a method gives credit to stretches of steps, each is in the colour of its number in the table, and else each step
    is in that of its own, a category's columns summed. Of more than eight variables the eight with the largest
    attributions are drawn, and the title says so.

    Raises:
        NotApplicableError: If the inputs are no series.
        ConfigurationError: If there is more than one.
    """
    modality, schema = explanation.modality, explanation.schema
    if not isinstance(modality, Series):
        raise NotApplicableError(f"this picture shows series, and the inputs are {schema.modality}", remedy='draw explanation.plot("bar")')
    if len(explanation) != 1:
        raise ConfigurationError(
            f"this picture shows one series, got {len(explanation)}", remedy='choose one, as in explanation[0].plot("series")'
        )
    here = modality.observed(explanation.inputs)[0].numpy() > 0.5
    case: Any = modality.decode(explanation.inputs).iloc[0, 0]
    columns, length = explanation.attributions[0].numpy(), modality.stretches[0][1]
    by_stretch = explanation.is_by_player and length > 1
    if by_stretch:
        of_players = explanation.by_feature()[0].numpy()
        colours = {name: of_players[modality.membership[:, schema.groups[name].start].numpy()] for name in case.columns}
    else:
        colours = {name: columns[:, schema.groups[name]].sum(1) for name in case.columns}
    names = sorted(case.columns, key=lambda name: -np.abs(colours[name]).sum())[:_MOST]
    names = [name for name in case.columns if name in names]
    reach = max(float(np.abs(colours[name]).max()) for name in names) or 1.0

    ax = axes_or_new(ax, width=7.2, height=1.3 + 1.1 * len(names))
    steps = np.arange(1, int(here.sum()) + 1)
    drawn = None
    for row, name in enumerate(names):
        ground = colours[name][here][None]
        extent = (0.5, len(steps) + 0.5, row + 0.45, row - 0.45)
        drawn = ax.imshow(ground, cmap=diverging_colors(), vmin=-reach, vmax=reach, extent=extent, aspect="auto", interpolation="nearest")
        if schema[name].numeric:
            values = case[name].to_numpy(dtype=float)
        else:
            values = np.array([schema[name].categories.index(value) for value in case[name]], dtype=float)
        low, span = values.min(), np.ptp(values) or 1.0
        ax.plot(steps, row + 0.4 - 0.8 * (values - low) / span, color=INK, linewidth=1.2, marker="." if len(steps) == 1 else "")
    ax.set_yticks(range(len(names)), [shorten(name, 20) for name in names])
    ax.set_xlim(0.5, len(steps) + 0.5)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel("step")
    hidden = len(case.columns) - len(names)
    title = f"One series, explained by {explanation.method_name}"
    ax.set_title(title + (f"; {hidden} variables that weigh less are not shown" if hidden else ""), loc="left", fontsize="medium")
    if drawn is not None:
        bar = ax.figure.colorbar(drawn, ax=ax, aspect=25, pad=0.02, ticks=[-reach, 0, reach])
        bar.ax.set_yticklabels([signed(-reach), "0", signed(reach)])
        bar.ax.tick_params(color=FAINT, labelcolor=INK)
        bar.set_label(f"{explanation.label}, per {f'stretch of {length} steps' if by_stretch else 'step'}", color=INK, fontsize="small")
        bar.outline.set_visible(False)
    tidy_axes(ax, keep=("bottom",))
    return ax
