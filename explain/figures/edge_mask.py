"""Edge mask: a graph whose edges are as wide and as coloured as their attributions, and its nodes as theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from classifier.errors import ConfigurationError
from explain.figures import FIGURES
from explain.figures._graph_layout import lay_out
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LOWERS, RAISES, axes_or_new, signed, write_notes
from explain.graph_edges import edges_of, graphs_of, node_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap

    from explain.explanation import Explanation

# Points: the width of an edge that counts for nothing, what the largest adds, the numbers on edges and how far aside they are.
_THIN, _WIDE, _NUMBER, _ASIDE = 1.0, 6.0, 8.0, 8.0
# A size below this share of the largest is not worth a number.
_WORTH = 0.1
_LONGEST_NAME = 3
# Of the length of an edge: differences of room that do not count.
_CLOSE = 0.1
_GREY = "#D5D5D5"


@picture
def draw_graph(
    names: Sequence[str],
    edges: ArrayLike,
    values: ArrayLike,
    *,
    label: str,
    nodes: ArrayLike | None = None,
    errors: ArrayLike | None = None,
    signs: bool = True,
    numbers: int = 5,
    title: str = "",
    notes: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw a graph; the wider and the more coloured an edge, the larger its value.

    Args:
        names: What is written into each node ``(n,)``.
        edges: Pairs of nodes that are joined ``(E, 2)``.
        values: The value of each edge ``(E,)``.
        label: What the colours show, with its class and unit.
        nodes: The value of each node ``(n,)``, which fills it; without them nodes are white.
        errors: Standard errors of the edges' values ``(E,)``: a pale band on both sides, and beside the number.
        signs: Whether values have signs; without them, colours go from grey to black.
        numbers: How many of the largest values of edges are written down.
        title: Title.
        notes: What is written under the picture.
        ax: Where to draw; a new figure where there is none.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    pairs, sizes = np.asarray(edges, dtype=np.int64).reshape(-1, 2), np.asarray(values, dtype=float)
    fills = np.zeros(len(names)) if nodes is None else np.asarray(nodes, dtype=float)
    spread = np.zeros(len(sizes)) if errors is None else np.asarray(errors, dtype=float)
    reach = max(np.abs(sizes).max(initial=0), np.abs(fills).max(initial=0)) or 1.0
    colors, scale = _colors(signs), Normalize(-reach if signs else 0.0, reach)
    places = lay_out(len(names), pairs)

    wide, high = np.ptp(places, axis=0)
    ax = axes_or_new(ax, width=7.2, height=float(np.clip(1.6 + 5.2 * (high + 1) / (wide + 1), 2.8, 6.5)))
    for (i, j), size, error in zip(pairs, sizes, spread, strict=True):
        line = places[[i, j]].T
        width = _THIN + _WIDE * abs(size) / reach
        if error:
            ax.plot(*line, color=FAINT, alpha=0.55, linewidth=width + 2 * _WIDE * error / reach, solid_capstyle="butt", zorder=1)
        ax.plot(*line, color=colors(scale(size)), linewidth=width, solid_capstyle="round", zorder=2)
    diameter = float(np.clip(110 / np.sqrt(len(names)), 9, 20))
    inside = colors(scale(fills)) if fills.any() else np.ones((len(names), 4))
    ax.scatter(places[:, 0], places[:, 1], s=diameter**2, c=inside, edgecolors=INK, linewidths=0.9, zorder=3)
    for place, name, color in zip(places, names, inside, strict=True):
        shade = "white" if color[:3] @ (0.299, 0.587, 0.114) < 0.45 else INK
        ax.text(place[0], place[1], name, ha="center", va="center", fontsize=0.55 * diameter, color=shade, zorder=4)
    for e in np.argsort(-np.abs(sizes), kind="stable")[:numbers]:
        if abs(sizes[e]) >= _WORTH * reach:
            text = signed(sizes[e]) if signs else f"{sizes[e]:.2g}"
            _write_beside(ax, places, pairs[e], text if not spread[e] else f"{text} ± {spread[e]:.1g}")
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.1)
    ax.set_axis_off()
    bar = ax.figure.colorbar(
        ScalarMappable(scale, colors), ax=ax, ticks=[-reach, 0, reach] if signs else [0, reach], shrink=0.75, aspect=24, pad=0.02
    )
    bar.ax.set_yticklabels([signed(-reach), "0", signed(reach)] if signs else ["0", f"{reach:.2g}"])
    bar.set_label(label, color=INK)
    bar.outline.set_visible(False)
    ax.set_title(title, loc="left", fontsize="medium")
    write_notes(ax, notes)
    return ax


@FIGURES.register
def plot_graph(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw the one graph of an explanation, by whatever method: its edges by their attributions, its nodes by those of their features.

    Raises:
        NotApplicableError: If the inputs are no graphs.
        ConfigurationError: If there is more than one.
    """
    modality = graphs_of(explanation.modality)
    if len(explanation) != 1:
        raise ConfigurationError(
            f"this picture shows one graph, got {len(explanation)}", remedy='choose one, as in explanation[0].plot("edge_mask")'
        )
    edges = edges_of(explanation)
    there = modality.present(explanation.inputs)[0].nonzero()[:, 0]
    number = {place: index for index, place in enumerate(there.tolist())}
    names = [node_names(modality, explanation.inputs[0])[place] for place in number]
    if not any(names) or max(map(len, names)) > _LONGEST_NAME:
        names = [str(place) for place in number]
    pairs = [(number[i], number[j]) for i, j in zip(edges["node"], edges["other"], strict=True)]
    return draw_graph(
        names,
        pairs,
        edges["attribution"].to_numpy(),
        errors=edges["standard_error"].to_numpy() if explanation.element_error is not None else None,
        nodes=modality.parts(explanation.attributions)[0][0, there].sum(1).numpy(),
        label=explanation.label,
        signs=explanation.quantity != "weight",
        title=f"One graph, explained by {explanation.method_name}",
        notes=explanation.notes,
        ax=ax,
    )


def _colors(signs: bool) -> LinearSegmentedColormap:
    """From what lowers through grey to what raises, so that an edge of no effect is still seen; or from grey to black."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("edges", [LOWERS, _GREY, RAISES] if signs else [_GREY, INK])


def _write_beside(ax: Axes, places: Any, pair: Any, text: str) -> None:
    """Write a number beside the middle of an edge, on the side where the nodes leave more room."""
    i, j = pair
    middle = (places[i] + places[j]) / 2
    along = places[j] - places[i]
    aside = 0.5 * np.array([-along[1], along[0]])
    room = [np.linalg.norm(places - middle - side, axis=1).min() for side in (aside, -aside)]
    outwards = aside @ (middle - places.mean(0))
    # Where both sides have as much room, away from the middle of the graph.
    if room[1] - room[0] > _CLOSE or (abs(room[1] - room[0]) <= _CLOSE and outwards < 0):
        aside = -aside
    aside /= np.linalg.norm(aside) or 1
    ax.annotate(
        text,
        middle,
        tuple(_ASIDE * aside),
        textcoords="offset points",
        # It grows away from the edge.
        ha="left" if aside[0] > 0.15 else "right" if aside[0] < -0.15 else "center",
        va="bottom" if aside[1] > 0.5 else "top" if aside[1] < -0.5 else "center",
        fontsize=_NUMBER,
        color=INK,
        zorder=5,
    )
