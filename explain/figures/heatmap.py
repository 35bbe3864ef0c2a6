"""Heat map: where in an image the attributions lie, beside the image itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from classifier.errors import ConfigurationError, NotApplicableError
from explain.figures import FIGURES
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, axes_or_new, diverging_colors, signed, write_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.explanation import Explanation

# White between the two panels, as a share of the image's width.
_GAP = 0.08


@picture
def draw_heatmap(
    picture: ArrayLike,
    values: ArrayLike,
    *,
    label: str,
    title: str = "",
    notes: Sequence[str] = (),
    words: tuple[str, str] = ("image", "attributions"),
    ax: Axes | None = None,
) -> Axes:
    """Draw an image, and beside it its attributions as colours, under the outlines of what is bright in the image.

    The colours reach equally far on both sides of zero, which is white: a pale patch is one that hardly counts.

    Args:
        picture: The image ``(H, W, 1 or 3)``, from 0 to 1.
        values: The attribution of each pixel ``(H, W)``.
        label: What the colours show, with its class and unit.
        title: Title.
        notes: What is written under both.
        words: What the two panels are called, where the reader has another language.
        ax: Where to draw both; a new figure where there is none.
    """
    from matplotlib.patches import Rectangle

    shown, sizes = np.asarray(picture, dtype=float), np.asarray(values, dtype=float)
    height, width = sizes.shape
    ax = axes_or_new(ax, width=7.2, height=0.7 + 2.7 * min(max(height / width, 0.5), 2.0))
    colored = np.broadcast_to(shown, (height, width, 3))
    ax.imshow(colored, extent=(0, width, height, 0), interpolation="nearest")
    reach = float(np.abs(sizes).max()) or 1.0
    start = width * (1 + _GAP)
    place = (start, start + width, height, 0)
    effect = ax.imshow(sizes, cmap=diverging_colors(), vmin=-reach, vmax=reach, extent=place, interpolation="nearest")
    brightness = colored.mean(2)
    if min(height, width) > 1 and np.ptp(brightness) > 0:
        middle = (brightness.min() + brightness.max()) / 2
        centres = (start + 0.5 + np.arange(width), 0.5 + np.arange(height))
        ax.contour(*centres, brightness, levels=[middle], colors=INK, linewidths=0.8, alpha=0.7)
    ax.set_xlim(0, start + width)
    ax.set_ylim(height, 0)
    ax.set_aspect("equal")
    ax.set_axis_off()
    for left, word in zip((0, start), words, strict=True):
        ax.annotate(word, (left, 0), (0, 4), textcoords="offset points", fontsize="small", color=INK, annotation_clip=False)
    for edge in (0.0, start):
        ax.add_patch(Rectangle((edge, 0), width, height, fill=False, edgecolor=FAINT, linewidth=0.8, clip_on=False))
    bar = ax.figure.colorbar(effect, cax=ax.inset_axes((1.03, 0, 0.03, 1)), ticks=[0])
    if sizes.any():
        bar.set_ticks([-reach, 0, reach], labels=[signed(-reach), "0", signed(reach)])
    bar.set_label(label, color=INK)
    bar.outline.set_visible(False)
    ax.set_title(title, loc="left", fontsize="medium", pad=20)
    write_notes(ax, notes)
    return ax


@FIGURES.register
def plot_heatmap(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw the one image of an explanation; attributions of its channels are summed.

    Where a method gives credit to patches, each is in the colour of its number in the table, and else each pixel is in
    that of its own.

    Raises:
        NotApplicableError: If the inputs are no images.
        ConfigurationError: If there is more than one.
    """
    from classifier.modalities.image import Image

    modality = explanation.modality
    if not isinstance(modality, Image):
        raise NotApplicableError(f"a heat map shows images, and the inputs are {explanation.schema.modality}", remedy="draw a waterfall")
    if len(explanation) != 1:
        raise ConfigurationError(
            f"a heat map shows one image, got {len(explanation)}", remedy='choose one, as in explanation[0].plot("heatmap")'
        )
    values, by_patch = explanation.attributions[0].sum(0), explanation.is_by_player and modality.patch > 1
    if by_patch:
        values = explanation.by_feature()[0][modality.membership[0]]
    nothing = [] if values.any() else [f"0 everywhere: {explanation.method_name} gives no part of this image anything"]
    return draw_heatmap(
        modality.picture(explanation.inputs)[0],
        values.numpy(),
        label=f"{explanation.label}, per {'patch' if by_patch else 'pixel'}",
        title=f"One image, explained by {explanation.method_name}",
        notes=[*nothing, *explanation.notes],
        ax=ax,
    )
