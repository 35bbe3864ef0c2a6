"""Dependence: how the output follows a feature or a pair, with its intervals and where the rows lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import ConfigurationError, did_you_mean
from classifier.schema import Feature
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LOWERS, MARKERS, NEUTRAL, PALETTE, axes_or_new, name_classes, name_rows, shorten, tidy_axes
from explain.figures.behaviour._panels import draw_lines, draw_surface, is_listed, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.behaviour.depending import Dependence

_TITLES = {"ale": "Accumulated local effects", "pdp": "Partial dependence", "ice": "Each row by itself, and their mean"}
# Rows that have room for a curve of their own.
_CURVES = 150
# Classes whose curves are told apart in one panel.
_ICE = 3


@picture
def draw_dependence(dependence: Dependence, *, target: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw lines with bands over a number, points with intervals over categories, or a field of colour over a pair.

    Of more than three classes, `"ice"` draws the one whose mean moves most, and says so.

    Args:
        dependence: What is drawn.
        target: The class to draw; by default all that it holds.
        ax: Where to draw; a new figure where there is none.

    Raises:
        ConfigurationError: If there is no such class, or a pair is drawn of several classes at once.
    """
    if target is not None and target not in dependence.classes:
        raise ConfigurationError(f"there is no class {target!r}", remedy=did_you_mean(target, dependence.classes))
    dependence = _in_words(dependence)
    chosen, most = [index for index, name in enumerate(dependence.classes) if target in (None, name)], ""
    if dependence.kind == "ice" and len(chosen) > _ICE:
        chosen, most = [int(np.ptp(dependence.values, axis=0).argmax())], f"; of {len(chosen)} classes the one that moves most"
    if len(dependence.features) == 2:
        if len(chosen) > 1:
            raise ConfigurationError(
                f"a field of colour shows one class, and there are {len(chosen)}",
                remedy=f"name one, as in target={dependence.classes[0]!r}",
            )
        return _draw_pair(dependence, chosen[0], axes_or_new(ax, width=6.6, height=4.6))
    listed = is_listed(dependence.grids[0])
    height = 1.7 + 0.34 * len(dependence.grids[0]) * max(1, len(chosen) / 3) if listed else 4.2
    ax = axes_or_new(ax, width=6.8, height=height)
    drawn = (_draw_levels if listed else _draw_curve)(dependence, chosen, ax)
    band = f"{'lines' if listed else 'bands'}: {dependence.confidence:.0%} intervals over the rows"
    if dependence.kind == "ice":
        band = f"grey: {'the middle 80 % of the rows' if listed else f'{min(_CURVES, len(dependence.cases[0]))} of the rows'}; {band}"
    ax.set_title(f"{_TITLES[dependence.kind]}: {shorten(dependence.features[0].name)}{most}", loc="left", fontsize="medium")
    label = _named(dependence)[0]
    if listed:
        ax.set_xlabel(f"{_label(dependence, chosen)}; {band}; in brackets: share of rows")
    else:
        ax.set_xlabel(f"{label}\n{band}; bars below: where the rows lie")
        ax.set_ylabel(_label(dependence, chosen))
    if len(chosen) > 1:
        names = [shorten(name, 24) for name in dependence.classes]
        name_classes(ax, drawn, names, title="class", loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _draw_curve(dependence: Dependence, chosen: list[int], ax: Axes) -> Sequence[Any]:
    grid, low, high = dependence.grids[0], dependence.low[:, chosen], dependence.high[:, chosen]
    limits = (float(low.min()), float(high.max()))
    if dependence.curves is not None:
        # Evenly over the rows, so that the same rows are drawn every time.
        rows = np.unique(np.linspace(0, len(dependence.curves) - 1, _CURVES).astype(int))
        shown = dependence.curves[rows][:, :, chosen]
        limits = (float(shown.min()), float(shown.max()))
        for place, index in enumerate(chosen):
            color = NEUTRAL if len(chosen) == 1 else PALETTE[index % len(PALETTE)]
            ax.plot(grid, shown[:, :, place].T, color=color, linewidth=0.5, alpha=0.35, zorder=1)
    lines = draw_lines(ax, grid, dependence.values[:, chosen], pd.Series(dependence.cases[0]), limits)
    for place in range(len(chosen)):
        ax.fill_between(grid, low[:, place], high[:, place], color=PALETTE[place % len(PALETTE)], alpha=0.22, linewidth=0)
    return lines


def _draw_levels(dependence: Dependence, chosen: list[int], ax: Axes) -> Sequence[Any]:
    points = []
    grid, cases = dependence.grids[0], pd.Series(dependence.cases[0])
    for place, index in enumerate(chosen):
        rows = np.arange(len(grid)) + (place - (len(chosen) - 1) / 2) * 0.7 / len(chosen)
        color = LOWERS if len(chosen) == 1 else PALETTE[place % len(PALETTE)]
        if dependence.curves is not None:
            ends = np.quantile(dependence.curves[:, :, index], [0.1, 0.9], axis=0)
            ax.hlines(rows, ends[0], ends[1], color=FAINT, linewidth=7 / len(chosen) ** 0.5, zorder=1)
        ax.hlines(rows, dependence.low[:, index], dependence.high[:, index], color=color, linewidth=1.6, zorder=2)
        marker = MARKERS[place % len(MARKERS)]
        points += ax.plot(dependence.values[:, index], rows, linestyle="", marker=marker, color=color, markersize=6, zorder=3)
    name_rows(ax, [f"{shorten(str(word), 34)} ({share(cases, word):.0%})" for word in grid])
    ax.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    ax.grid(axis="y", color=FAINT, linewidth=0.4)
    tidy_axes(ax, keep=("bottom",))
    return points


def _draw_pair(dependence: Dependence, index: int, ax: Axes) -> Axes:
    surface = dependence.values[..., index]
    label = _label(dependence, [index])
    if dependence.kind != "ale":
        # Colours are of what raises and lowers, so they need a middle.
        surface, label = surface - surface.mean(), f"{label}, less its mean over the field"
    elif dependence.counts is not None:
        # A point that no row is near is not drawn: its value comes from elsewhere.
        near = np.pad(dependence.counts, 1)
        surface = np.where(near[1:, 1:] + near[:-1, 1:] + near[1:, :-1] + near[:-1, :-1] > 0, surface, np.nan)
    reach = float(np.nanmax(np.abs(surface))) or 1.0
    draw_surface(ax, _named(dependence), dependence.grids, surface, [pd.Series(cases) for cases in dependence.cases], reach)
    bar = ax.collections[0].colorbar
    if bar is not None:
        bar.set_label(label)
    names = " and ".join(shorten(feature.name) for feature in dependence.features)
    what = "what they do together beyond each alone; white: no rows" if dependence.kind == "ale" else "mean output"
    ax.set_title(f"{_TITLES[dependence.kind]}: {names}\n{what}; dots: the rows", loc="left", fontsize="medium", color=INK)
    return ax


def _named(dependence: Dependence) -> list[str]:
    return [f"{shorten(feature.name)} ({feature.unit})" if feature.unit else shorten(feature.name) for feature in dependence.features]


def _in_words(dependence: Dependence) -> Dependence:
    """With the two numbers of a binary feature as words, since nothing lies between them."""

    def told(feature: Feature, values: NDArray[Any]) -> NDArray[Any]:
        plain = feature.kind == "binary" and not is_listed(values)
        return np.array([f"{value:g}" for value in values], dtype=object) if plain else values

    return replace(
        dependence,
        grids=tuple(map(told, dependence.features, dependence.grids)),
        cases=tuple(map(told, dependence.features, dependence.cases)),
    )


def _label(dependence: Dependence, chosen: list[int]) -> str:
    if len(chosen) == 1 and len(dependence.classes) > 1:
        return dependence.label.replace("each class", shorten(dependence.classes[chosen[0]], 30))
    return dependence.label
