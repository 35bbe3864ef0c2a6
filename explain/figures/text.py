"""Text: its tokens as they are written, on a ground coloured by their attributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modalities.text import Text
from explain.figures import FIGURES
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, axes_or_new, diverging_colors, font_families, shorten, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.explanation import Explanation

_SIZE, _LINE, _MARGIN = 11, 1.9, 0.35  # Points of a letter, and the lines and the margins of a word in letters.
_LETTERS = 60  # Of a token, which has room in a line.


@picture
def draw_text(tokens: Sequence[str], values: ArrayLike, *, label: str, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw tokens in their order, line by line; the colours reach equally far on both sides of zero.

    Args:
        tokens: What is written ``(T,)``.
        values: The attribution of each ``(T,)``.
        label: What the colours show, with its class and unit.
        title: Title.
        ax: Where to draw; a new figure, as high as the text needs, where there is none.
    """
    from matplotlib.patches import Rectangle

    sizes = np.asarray(values, dtype=float)
    new = ax is None
    ax = axes_or_new(ax, width=7.2)
    ax.set_axis_off()
    # Measured before they are in their places, so said here already.
    fonts: dict[str, Any] = {"fontsize": _SIZE, "fontfamily": font_families(), "color": INK, "parse_math": False, "usetex": False}
    dpi = ax.figure.dpi
    letter = _SIZE / 72 * dpi
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]  # axes of a figure have one
    width = ax.get_window_extent().width / letter
    words = [ax.text(0, 0, shorten(token, _LETTERS), va="center", ha="center", **fonts) for token in tokens]
    extents = [min(word.get_window_extent().width / letter + 2 * _MARGIN, width) for word in words]
    places, line, column = [], 0, 0.0
    for extent in extents:
        if column and column + extent > width:
            line, column = line + 1, 0.0
        places.append((column, line))
        column += extent
    if new:
        ax.figure.set_size_inches(7.2, 1.5 + (line + 1) * _LINE * _SIZE / 72)  # type: ignore[union-attr]
    ax.set_xlim(0, width)
    ax.set_ylim(line + 1, 0)
    colors = diverging_colors()
    reach = float(np.abs(sizes).max(initial=0)) or 1.0
    for word, extent, (start, row), size in zip(words, extents, places, sizes, strict=True):
        word.set_position((start + extent / 2, row + 0.5))
        color = colors(0.5 + size / reach / 2)
        word.set_color("white" if np.dot(color[:3], (0.299, 0.587, 0.114)) < 0.5 else INK)
        ax.add_patch(Rectangle((start, row + 0.08), extent, 0.84, facecolor=color, edgecolor="white", linewidth=1, zorder=0))
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(-reach, reach), colors)
    bar = ax.figure.colorbar(scale, ax=ax, orientation="horizontal", aspect=40, shrink=0.6, pad=0.06, ticks=[-reach, 0, reach])
    bar.ax.set_xticklabels([signed(-reach), "0", signed(reach)])
    bar.ax.tick_params(color=FAINT, labelcolor=INK)
    bar.set_label(label, color=INK)
    bar.outline.set_visible(False)
    ax.set_title(title, loc="left", fontsize="medium")
    return ax


@FIGURES.register
def plot_text(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw the one text of an explanation.

    Raises:
        NotApplicableError: If the inputs are no texts.
        ConfigurationError: If there is more than one.
    """
    modality = explanation.modality
    if not isinstance(modality, Text):
        raise NotApplicableError(
            f"coloured words show texts, and the inputs are {explanation.schema.modality}", remedy='draw explanation.plot("bar")'
        )
    if len(explanation) != 1:
        raise ConfigurationError(
            f"coloured words show one text, got {len(explanation)}", remedy='choose one, as in explanation[0].plot("text")'
        )
    there = explanation.shown[0]
    words = modality.words(explanation.inputs)[0]
    return draw_text(
        [word for word, shown in zip(words.values(), there.tolist(), strict=True) if shown],
        explanation.by_feature()[0][there].numpy(),
        label=explanation.label,
        title=f"One text, explained by {explanation.method_name}",
        ax=ax,
    )
