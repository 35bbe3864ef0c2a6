"""Gradient flow: how much of the loss's gradient reaches each layer, and which units are dead or saturated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LOWERS, NEUTRAL, axes_or_new, shorten, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.internals.diagnosis import Diagnosis, LayerHealth

_ALARM = "#D55E00"
# Under a text, so that no line runs through it.
_GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}


@picture
def draw_gradient_flow(diagnosis: Diagnosis, *, ax: Axes | None = None) -> Axes:
    """Draw a line down the layers, in the order in which they compute, along an axis of orders of magnitude.

    Between the layers that learned something stand the activation functions, each with how many of its units are dead or
    saturated. A hollow mark at the left edge is a layer that no gradient reaches.

    Args:
        diagnosis: What `diagnose` gives.
        ax: Where to draw; a new figure where there is none.
    """
    layers = diagnosis.layers
    ax = axes_or_new(ax, width=7.4, height=1.9 + 0.29 * len(layers))
    places = [place for place, layer in enumerate(layers) if layer.gradient is not None]
    sizes = np.array([layer.gradient for layer in layers if layer.gradient is not None], dtype=float)
    seen = sizes[(sizes > 0) & np.isfinite(sizes)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.1, 1.0)
    low, high = min(low / 3, high / 30), high * 3
    drawn = np.where(sizes > 0, sizes, low)
    ax.plot(drawn, places, color=LOWERS, linewidth=1.4, zorder=2)
    for place, size, x in zip(places, sizes, drawn, strict=True):
        ax.plot([x], [place], "o", color=LOWERS if size > 0 else "white", markeredgecolor=LOWERS, markersize=7, zorder=3)
        said = f"{size:.2g}" if size > 0 else "none"
        ax.annotate(said, (x, place), (9, 0), textcoords="offset points", va="center", fontsize="x-small", color=INK, bbox=_GROUND)
    ax.set_xscale("log")
    ax.set_xlim(low * 0.8, high * 3)
    ax.set_yticks(range(len(layers)), [shorten(f"{layer.name}  {layer.kind}", 34) for layer in layers], fontsize="small")
    ax.set_ylim(len(layers) - 0.4, -0.6)
    for place, layer in enumerate(layers):
        if layer.units:
            ax.axhline(place, color=FAINT, linewidth=0.6, linestyle=":", zorder=0)
            text, bad = _units(layer)
            ax.annotate(
                text, (1.0, place), (-2, 0), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right", va="center",
                fontsize="x-small", color=_ALARM if bad else NEUTRAL, fontweight="bold" if bad else "normal", bbox=_GROUND,
            )  # fmt: skip
    ax.grid(axis="x", color="#EEEEEE")
    ax.set_xlabel("gradient of a row's loss by what the layer gives (norm, mean over rows)")
    found = {symptom.kind: symptom for symptom in diagnosis.symptoms}
    said = f"found: {', '.join(found)}" if found else "nothing found that keeps it from learning"
    ax.set_title(f"Gradient by layer, {diagnosis.rows} rows\n{said}", loc="left", fontsize="medium")
    tidy_axes(ax, keep=("bottom",))
    return ax


def _units(layer: LayerHealth) -> tuple[str, bool]:
    """How many units are dead or saturated, and whether that is many."""
    if layer.dead is not None:
        return f"{layer.dead} of {layer.units} dead", layer.mostly_dead
    if layer.saturation is not None:
        return f"{layer.saturation:.0%} saturated, {layer.saturated} of {layer.units} units", layer.mostly_saturated
    return "", False
