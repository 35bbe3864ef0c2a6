"""Pictures: small images in a grid, each with its caption."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 7.2
# Room for a caption under a picture and between two, as shares of a picture's width; letters of a caption's line in a whole row.
_CAPTION, _GAP, _LETTERS = 0.34, 0.1, 92


@picture
def draw_pictures(pictures: Sequence[ArrayLike], captions: Sequence[str], *, columns: int, ax: Axes | None = None) -> Axes:
    """Draw images of one size row by row, with a caption under each.

    Args:
        pictures: Images ``(H, W, 1 or 3)``, from 0 to 1.
        captions: What is written under each.
        columns: How many stand side by side.
        ax: Where to draw; a new figure where there is none.
    """
    shown = [np.asarray(image, dtype=float) for image in pictures]
    height, width = shown[0].shape[:2]
    step, fall = width * (1 + _GAP), height + width * _CAPTION
    rows = ceil(len(shown) / columns)
    ax = axes_or_new(ax, width=_WIDTH, height=max(1.2, _WIDTH * rows * fall / (columns * step)))
    for index, (image, caption) in enumerate(zip(shown, captions, strict=True)):
        down, across = divmod(index, columns)
        left, top = across * step, down * fall
        colored = np.broadcast_to(image, (height, width, 3))
        ax.imshow(colored, extent=(left, left + width, top + height, top), interpolation="nearest", vmin=0, vmax=1)
        ax.plot([left, left + width, left + width, left, left], [top, top, top + height, top + height, top], color=FAINT, linewidth=0.8)
        words = textwrap.fill(caption, max(8, _LETTERS // columns))
        ax.text(left + width / 2, top + height + 0.03 * width, words, ha="center", va="top", fontsize="x-small", color=INK)
    ax.set_xlim(-0.02 * width, columns * step - _GAP * width + 0.02 * width)
    ax.set_ylim(rows * fall, -0.02 * height)
    ax.set_aspect("equal")
    ax.axis("off")
    return ax
