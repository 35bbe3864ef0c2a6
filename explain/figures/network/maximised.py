"""Maximised: the made-up inputs that a unit answers most strongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from classifier.errors import ConfigurationError
from classifier.modalities._observed import OBSERVED
from classifier.modalities.image import Image
from classifier.modality import modality_of
from explain.figures._picture import picture
from explain.figures._style import INK, LOWERS, NEUTRAL, PALETTE, axes_or_new, dash, name_classes, name_rows, tidy_axes
from explain.figures.network._tiles import draw_tiles, largest_first

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from explain.internals.ascent import Maximised

_COLUMNS = 20


@picture
def draw_maximised(found: Maximised, *, limit: int = 4) -> Figure:
    """Draw images as pictures, series as lines, and the strongest input of a table as points within the columns' ranges.

    Args:
        found: What `maximise_activation` gives.
        limit: Images that are drawn at most.

    Raises:
        ConfigurationError: If nothing is to be drawn.
    """
    if limit < 1:
        raise ConfigurationError(f"limit must be at least 1, got {limit}")
    modality = modality_of(found.schema)
    unit = ", ".join(map(str, found.unit))
    title = f"Made-up inputs that unit {unit} of layer {found.layer} answers most"
    if isinstance(modality, Image):
        pictures = list(modality.picture(found.inputs[:limit]))
        return draw_tiles(
            [picture[..., 0] if picture.shape[2] == 1 else picture for picture in pictures],
            [f"answer {value:.3g}" for value in found.activations[:limit].tolist()],
            notes=[f"began at {value:.3g}" for value in found.starts[:limit].tolist()],
            title=title,
            label="",
            colors="gray",
            limits=(0, 1),
            columns=4,
        )
    answer = f"{title}\nstrongest answer {float(found.activations[0]):.3g}, of a random input {float(found.starts.mean()):.3g}"
    return _series(found, answer) if found.schema.modality == "sequence" else _table(found, answer)


def _series(found: Maximised, title: str) -> Figure:
    ax = axes_or_new(None, width=7.2, height=3.4)
    low, high = found.schema.bounds
    low, high = (torch.where(bound.isfinite(), bound, edge) for bound, edge in ((low, found.inputs.amin(0)), (high, found.inputs.amax(0))))
    share = (found.inputs[0] - low) / (high - low).clamp_min(1e-12)
    names = [name for name in found.schema.columns if name != OBSERVED][: len(PALETTE)]
    lines = []
    for place, name in enumerate(names):
        values = share[:, found.schema.columns.index(name)]
        lines += ax.plot(range(1, len(share) + 1), values, color=PALETTE[place], linestyle=dash(place), linewidth=1.8)
    ax.set_xlabel("step")
    ax.set_ylabel("share of the variable's range")
    ax.set_ylim(-0.04, 1.04)
    ax.grid(axis="y", color="#EEEEEE")
    name_classes(ax, lines, names)
    ax.set_title(title, loc="left", fontsize="medium")
    tidy_axes(ax)
    return ax.figure  # type: ignore[return-value]  # axes of a figure of their own


def _table(found: Maximised, title: str) -> Figure:
    """Where in its range each column lies: the strongest input as a point, the other restarts in grey."""
    low, high = found.schema.bounds
    low, high = (torch.where(bound.isfinite(), bound, edge) for bound, edge in ((low, found.inputs.amin(0)), (high, found.inputs.amax(0))))
    shares = (found.inputs - low) / (high - low).clamp_min(1e-12)
    # A category says something where it has a share, and a number where it is not in the middle.
    listed = torch.tensor([feature.kind == "categorical" for feature in found.schema.features for _ in range(feature.width)])
    columns = largest_first(torch.where(listed, shares[0], (2 * shares[0] - 1).abs()).numpy(), _COLUMNS)
    ax = axes_or_new(None, width=7.4, height=1.7 + 0.27 * len(columns))
    for row in shares[1:]:
        ax.plot(row[columns], range(len(columns)), "|", color=NEUTRAL, markersize=9, markeredgewidth=1.2)
    ax.plot(shares[0][columns], range(len(columns)), "o", color=LOWERS, markersize=7)
    name_rows(ax, [found.schema.columns[column] for column in columns])
    ax.axvline(0.5, color=INK, linewidth=0.8, linestyle=":", zorder=0)
    ax.set_xlim(-0.04, 1.04)
    ax.grid(axis="x", color="#EEEEEE")
    ax.set_xlabel("share of the column's range\ndot: strongest input, bars: other restarts")
    ax.figure.suptitle(title, x=0.01, ha="left", fontsize="medium")
    tidy_axes(ax, keep=("bottom",))
    return ax.figure  # type: ignore[return-value]  # axes of a figure of their own
