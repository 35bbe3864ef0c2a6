"""Computational graph: a network's steps as boxes in their order, and what passes by others as lines beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LOWERS, RAISES, axes_or_new, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.internals.computation import NetworkGraph

_LEARNED, _FIXED, _JOIN = "#D6E8F5", "#F2F2F2", "#FBE9C6"
_BOX = (0.0, 10.0)
# Where the lines beside the boxes begin, and how far apart they are.
_LANE, _APART = 10.35, 0.32
_ARROW = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0}


@picture
def draw_network(graph: NetworkGraph, *, ax: Axes | None = None) -> Axes:
    """Draw a box for each step: its name, its type, the shape of what it gives, and how many numbers it learned.

    Blue boxes learned something, grey ones did not, yellow ones join the results of several. An arrow leads from a step
    to the next, and a line on the right around those that it passes by.

    Args:
        graph: What `network_graph` gives.
        ax: Where to draw; a new figure where there is none.
    """
    from matplotlib.patches import FancyBboxPatch

    from explain.internals.computation import cut_front, shape_words

    nodes = graph.nodes
    ways = {source: [p for p, node in enumerate(nodes) if source in node.sources and p - source > 1] for source in range(len(nodes))}
    lanes = _lanes({source: max(places) for source, places in ways.items() if places})
    width = _LANE + _APART * (max(lanes.values(), default=0) + 1)
    ax = axes_or_new(ax, width=0.62 * width + 0.6, height=0.9 + 0.36 * len(nodes))
    for place, node in enumerate(nodes):
        color = _LEARNED if node.parameters else _FIXED if node.kind or place in (0, len(nodes) - 1) else _JOIN
        box = FancyBboxPatch(
            (_BOX[0], place - 0.3), _BOX[1], 0.6, boxstyle="round,pad=0,rounding_size=0.12", facecolor=color, edgecolor=FAINT
        )
        ax.add_patch(box)
        for x, text, side, weight in (
            (0.15, cut_front(node.name, 34), "left", "bold"),
            (5.0, shorten(node.kind, 18), "left", "normal"),
            (7.95, shape_words(node.shape), "right", "normal"),
            (9.85, f"{node.parameters:,}" if node.parameters else "", "right", "normal"),
        ):
            ax.text(x, place, text, ha=side, va="center", fontsize="x-small", color=INK, fontweight=weight)
        if place and place - 1 in node.sources:
            ax.annotate("", (5, place - 0.3), (5, place - 0.7), arrowprops={**_ARROW, "color": INK, "lw": 0.9})
    for source, lane in lanes.items():
        x, color = _LANE + _APART * lane, (LOWERS, RAISES, "#009E73", "#CC79A7")[lane % 4]
        ax.plot([_BOX[1], x, x], [source + 0.1, source + 0.1, max(ways[source]) - 0.1], color=color, linewidth=1.2)
        for place in ways[source]:
            ax.annotate("", (_BOX[1], place - 0.1), (x, place - 0.1), arrowprops={**_ARROW, "color": color, "lw": 1.2})
    for x, text, side in (
        (0.15, "layer", "left"),
        (5.0, "type", "left"),
        (7.95, "output of one input", "right"),
        (9.85, "parameters", "right"),
    ):
        ax.text(x, -0.75, text, ha=side, va="center", fontsize="x-small", color=INK, fontstyle="italic")
    loose = f", {graph.loose:,} of them in no layer" if graph.loose else ""
    ax.set_title(f"{graph.total:,} parameters{loose}", loc="left", fontsize="medium")
    ax.set_xlim(-0.1, width)
    ax.set_ylim(len(nodes) - 0.4, -1.1)
    ax.set_axis_off()
    return ax


def _lanes(ends: dict[int, int]) -> dict[int, int]:
    """A place beside the boxes for the line that leaves each step, the short ones nearest, so that none runs along another.

    Args:
        ends: For a step, the last one that its line leads to.
    """
    lanes: dict[int, int] = {}
    for source in sorted(ends, key=lambda source: ends[source] - source):
        taken = {lane for other, lane in lanes.items() if other < ends[source] and source < ends[other]}
        lanes[source] = next(lane for lane in range(len(ends)) if lane not in taken)
    return lanes
