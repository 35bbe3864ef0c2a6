"""Surrogate: a small tree from left to right, its questions in words along the branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explain.figures._picture import picture
from explain.figures._style import INK, NEUTRAL, PALETTE, axes_or_new, fold, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.behaviour.surrogate_tree import SurrogateTree

# Under a text, so that no line runs through it.
_GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
_WIDEST, _LONGEST = 14.0, 36


@picture
def draw_surrogate(tree: SurrogateTree, *, ax: Axes | None = None) -> Axes:
    """Draw the tree; a branch is as wide as its share of the rows, and an end has its decision's colour and its probability.

    Args:
        tree: What is drawn.
        ax: Where to draw; a new figure where there is none.
    """
    heights, levels = _places(tree)
    ends = [place for place, node in enumerate(tree.nodes) if node.children is None]
    deepest = max(levels.values(), default=0)
    ax = axes_or_new(ax, width=3.2 + 3.1 * max(deepest, 1), height=1.5 + 0.62 * len(ends))
    for place, node in enumerate(tree.nodes):
        if node.children is None:
            continue
        for child, condition in zip(node.children, (node.at_most, node.above), strict=True):
            share = tree.nodes[child].rows / tree.nodes[0].rows
            x, y = levels[place], heights[child]
            ax.plot([x, x], [heights[place], y], color=NEUTRAL, linewidth=1.0, zorder=1, solid_capstyle="round")
            color = PALETTE[tree.nodes[child].decision % len(PALETTE)]
            ax.plot(
                [x, levels[child]], [y, y], color=color, alpha=0.55, linewidth=max(0.8, _WIDEST * share), zorder=2, solid_capstyle="butt"
            )
            ax.annotate(
                fold(shorten(condition, 2 * _LONGEST), _LONGEST),
                (x, y),
                (6, _WIDEST * share / 2 + 3),
                textcoords="offset points",
                va="bottom",
                fontsize="small",
                color=INK,
                zorder=4,
            )
    for place in ends:
        node = tree.nodes[place]
        most = max(node.probabilities) if len(tree.classes) > 2 else node.probabilities[1]
        of = "" if len(tree.classes) > 2 else f" of {shorten(tree.classes[1], 24)}"
        ax.plot(levels[place], heights[place], marker="o", color=PALETTE[node.decision % len(PALETTE)], markersize=8, zorder=5)
        said = f"{shorten(tree.classes[node.decision], 36)}\nprobability{of} {most:.2f}, {node.rows / tree.nodes[0].rows:.0%} of rows"
        at = (levels[place], heights[place])
        ax.annotate(said, at, (9, 0), textcoords="offset points", va="center", fontsize="small", color=INK, bbox=_GROUND, zorder=4)
    ax.set_xlim(-0.05, deepest + 1.0)
    ax.set_ylim(len(ends) - 0.4, -0.75)
    ax.set_axis_off()
    ax.set_title(f"A tree that {tree.fidelity}", loc="left", fontsize="medium")
    return ax


def _places(tree: SurrogateTree) -> tuple[dict[int, float], dict[int, int]]:
    """The height of each node, the ends one below the other, and its distance from the root."""
    heights: dict[int, float] = {}
    levels: dict[int, int] = {}

    def visit(place: int, level: int) -> None:
        levels[place] = level
        children = tree.nodes[place].children
        if children is None:
            heights[place] = float(sum(1 for known in heights if tree.nodes[known].children is None))
            return
        for child in children:
            visit(child, level + 1)
        heights[place] = sum(heights[child] for child in children) / 2

    visit(0, 0)
    return heights, levels
