"""Decision boundary: what a classifier of two features answers everywhere between its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from explain.figures._picture import picture
from explain.figures._style import INK, MARKERS, PALETTE, axes_or_new, name_classes, shorten, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARGIN = 0.08


@picture
def draw_decision_boundary(
    classifier: Classifier, x: Tensor, labels: Tensor, *, points: int = 240, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw the probabilities as a field of colour, the rows as points, and the lines where the decision changes.

    Args:
        classifier: One of two numeric features, and of at most 10 classes.
        x: Encoded inputs ``(N, 2)``.
        labels: Their classes ``(N,)``.
        points: Grid points a side.
        title: Title; by default it gives the share of rows that are decided rightly.
        ax: Where to draw; a new figure where there is none.

    Raises:
        NotApplicableError: If there are not two numeric features, or more than 10 classes.
    """
    features, classes = classifier.schema.features, classifier.classes
    if classifier.schema.shape != (2,) or len(features) != 2 or not all(feature.numeric for feature in features):
        raise NotApplicableError(
            f"a decision boundary is drawn over two numeric features, and the classifier has {len(features)}", remedy="draw a beeswarm"
        )
    if len(classes) > len(PALETTE):
        raise NotApplicableError(f"a decision boundary has colours for {len(PALETTE)} classes, and the classifier has {len(classes)}")
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    ax = axes_or_new(ax, width=6.4, height=4.8)
    low, high = x.min(0).values.cpu(), x.max(0).values.cpu()
    margin = _MARGIN * (high - low).clamp_min(1e-6)
    across, up = (torch.linspace(float(a), float(b), points) for a, b in zip(low - margin, high + margin, strict=True))
    grid = torch.cartesian_prod(up, across).flip(1)
    field = classifier.probabilities(grid).cpu().reshape(points, points, -1).numpy()
    horizontal, vertical = (_natural(classifier, index, axis) for index, axis in enumerate((across, up)))
    extent = (horizontal[0], horizontal[-1], vertical[0], vertical[-1])
    if len(classes) == 2:
        colors = LinearSegmentedColormap.from_list("event", [PALETTE[0], "#F7F7F7", PALETTE[1]])
        image = ax.imshow(field[..., 1], cmap=colors, vmin=0, vmax=1, origin="lower", extent=extent, aspect="auto", alpha=0.75)
        ax.figure.colorbar(image, ax=ax, label=f"probability of {shorten(classes[1])}", pad=0.02).outline.set_visible(False)
    else:
        blend = field @ np.array([to_rgb(color) for color in PALETTE[: len(classes)]])
        ax.imshow(np.clip(1 - 0.5 * (1 - blend), 0, 1), origin="lower", extent=extent, aspect="auto")
    for index in range(1 if len(classes) == 2 else 0, len(classes)):
        lead = field[..., index] - np.delete(field, index, axis=2).max(2)
        if lead.min() < 0 < lead.max():
            ax.contour(horizontal, vertical, lead, levels=[0.0], colors=INK, linewidths=1.4)
    dots = []
    for index in range(len(classes)):
        rows = (labels == index).cpu()
        first, second = (_natural(classifier, axis, x.cpu()[rows, axis]) for axis in (0, 1))
        dots.append(ax.scatter(first, second, s=24, marker=MARKERS[index], color=PALETTE[index], edgecolors=INK, linewidths=0.5))
    first_name, second_name = (f"{shorten(f.name)} ({f.unit})" if f.unit else shorten(f.name) for f in features)
    ax.set_xlabel(first_name)
    ax.set_ylabel(second_name)
    right = (classifier.predict(x).cpu() == labels.cpu()).float().mean()
    ax.set_title(title or f"{right:.1%} of {len(x)} rows are decided rightly", loc="left", fontsize="medium")
    name_classes(ax, dots, classes, frameon=True, framealpha=0.85, edgecolor="none", fontsize="medium", title="class of the row")
    tidy_axes(ax)
    return ax


def _natural(classifier: Classifier, index: int, column: Tensor) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A column of encoded values in natural units."""
    feature, values = classifier.schema.features[index], column.double().numpy()
    if classifier.schema.encoding == "unit" and feature.low is not None:
        return values * feature.span + feature.low
    return values
