"""Hidden states: the path of what a recurrent network knows, and how large it is, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explain.figures._picture import picture
from explain.figures._style import INK, MARKERS, PALETTE, name_classes, tidy_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from explain.internals.trajectories import HiddenStates

_PATHS = 24


@picture
def draw_hidden_states(found: HiddenStates, layer: str) -> Figure:
    """Draw two panels: the states in the plane in which they vary most, and their size by step, coloured by the decision.

    A path begins at the small dot and ends at the large mark. Of more than 24 series, 24 are drawn, evenly chosen.

    Args:
        found: What `hidden_states` gives.
        layer: The layer.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    (places, shares), norms = found.paths(layer), found.norms(layer)
    rows = np.linspace(0, len(places) - 1, min(_PATHS, len(places))).round().astype(int)
    figure = Figure(figsize=(9.4, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    plane, sizes = figure.subplots(1, 2, width_ratios=(1.15, 1))
    marks: dict[int, Any] = {}
    for row in rows:
        decided = int(found.predictions[row])
        color, marker = PALETTE[decided % len(PALETTE)], MARKERS[decided % len(MARKERS)]
        here = found.observed[row].numpy()
        path, norm = places[row].numpy()[here], norms[row].numpy()[here]
        path = path[::-1] if layer in found.backwards else path
        plane.plot(path[:, 0], path[:, 1], color=color, linewidth=0.9, alpha=0.55)
        plane.plot(path[:1, 0], path[:1, 1], ".", color=color, markersize=4)
        (mark,) = plane.plot(path[-1:, 0], path[-1:, 1], marker, color=color, markersize=7, markeredgecolor=INK, markeredgewidth=0.5)
        marks.setdefault(decided, mark)
        sizes.plot(here.nonzero()[0] + 1, norm, color=color, linewidth=1.0, alpha=0.6)
    plane.set_xlabel(f"first component ({shares[0]:.0%} of the variance)")
    plane.set_ylabel(f"second component ({shares[1]:.0%})")
    plane.set_title("Paths, from the dot to the mark", loc="left", fontsize="medium")
    names = [found.classes[decided] for decided in marks]
    name_classes(plane, list(marks.values()), names, frameon=True, framealpha=0.85, edgecolor="none", title="decided as")
    sizes.set_xlabel("step")
    sizes.set_ylabel("size of the state (Euclidean norm)")
    sizes.set_ylim(bottom=0)
    sizes.set_title("Size by step", loc="left", fontsize="medium")
    for ax in (plane, sizes):
        ax.grid(color="#EEEEEE")
        tidy_axes(ax)
    said = f"{len(rows)} of {len(places)} series" if len(rows) < len(places) else f"{len(places)} series"
    direction = ", read from the last step to the first" if layer in found.backwards else ""
    figure.suptitle(f"Hidden states of layer {layer}{direction}, {said}", x=0.01, ha="left", fontsize="medium")
    return figure
