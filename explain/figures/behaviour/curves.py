"""Curves: what each feature adds to the log-odds of an additive classifier, exactly as it computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.architectures._terms import AdditiveNetwork
from classifier.chunks import in_chunks
from classifier.classifier import Classifier
from classifier.columns import encode_column
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from classifier.schema import Feature
from explain.figures._picture import picture
from explain.figures._style import axes_or_new, name_classes, shorten
from explain.figures.behaviour._panels import draw_bars, draw_lines, draw_surface, is_listed, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Points along a number, along each side of a pair, and categories that have room for a bar.
_POINTS, _SIDE, _BARS = 400, 60, 12


@picture
def draw_curves(classifier: Classifier, dataset: Dataset, *, features: Sequence[str] | None = None, columns: int = 3) -> Figure:
    """Draw a panel for each feature and each pair, those that move the output most first.

    All features are to one scale, and all pairs. Each has mean 0 over the training rows.

    Args:
        classifier: An additive one.
        dataset: The rows that it was trained on: they say where curves begin and end, and how many cases lie where.
        features: The features to draw, with the pairs among them; all by default.
        columns: Panels side by side.

    Raises:
        NotApplicableError: If the classifier is no additive network.
        ConfigurationError: If there is no such feature.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    network = _additive(classifier)
    for name in features or ():
        if name not in classifier.schema.names:
            raise ConfigurationError(f"there is no feature {name!r}", remedy=did_you_mean(name, classifier.schema.names))
    size = _two_sided(in_chunks(network.contributions, dataset.inputs.to(classifier.device))).std(0, correction=0).amax(1)
    order = [network.terms[t] for t in size.argsort(descending=True).tolist()]
    curves = _curves(classifier, dataset, [term for term in order if features is None or set(term) <= set(features)])
    # A surface shows one output, so a pair of a classifier of many classes has one for each.
    panels = [(curve, k) for curve in curves for k in range(curve.values.shape[1] if len(curve.term) == 2 else 1)]
    limits = {
        sides: (min(float(c.values.min()) for c in alike), max(float(c.values.max()) for c in alike))
        for sides in (1, 2)
        if (alike := [curve for curve in curves if len(curve.term) == sides])
    }
    rows = ceil(len(panels) / columns)
    figure = Figure(figsize=(4.4 * columns, 0.5 + 2.5 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    unit = f"log-odds of {classifier.classes[1]}" if len(classifier.classes) == 2 else "logit of each class"
    figure.suptitle(f"What each feature adds to the {unit}; grey and in brackets: where the training rows lie", fontsize="large")
    axes = [figure.add_subplot(rows, columns, place) for place in range(1, len(panels) + 1)]
    drawn = [_draw(curve, classifier, limits[len(curve.term)], k, ax) for ax, (curve, k) in zip(axes, panels, strict=True)]
    if len(classifier.classes) > 2:
        handles = next(found for found in drawn if found)
        names = [shorten(name, 20) for name in classifier.classes]
        figure.legend(list(handles), names, loc="outside lower center", ncols=5, frameon=False)
    return figure


@picture
def draw_curve(classifier: Classifier, dataset: Dataset, term: Sequence[str], *, output: int = 0, ax: Axes | None = None) -> Axes:
    """Draw one term: a line over a number, bars for categories, a surface for a pair.

    Args:
        classifier: An additive one.
        dataset: The rows that it was trained on.
        term: The feature, or both of a pair.
        output: Which class a surface shows, of more than two.
        ax: Where to draw; a new figure where there is none.

    Raises:
        NotApplicableError: If the classifier is no additive network.
        ConfigurationError: If it has no such term.
    """
    network = _additive(classifier)
    if tuple(term) not in network.terms:
        known = (" × ".join(known) for known in network.terms)
        raise ConfigurationError(f"there is no term {' × '.join(term)!r}", remedy=did_you_mean(" × ".join(term), known))
    (curve,) = _curves(classifier, dataset, [tuple(term)])
    ax = axes_or_new(ax, width=5.0, height=3.2)
    drawn = _draw(curve, classifier, (float(curve.values.min()), float(curve.values.max())), output, ax)
    if len(classifier.classes) > 2 and drawn:
        name_classes(ax, drawn, classifier.classes, fontsize="x-small", loc="upper right")
    return ax


@dataclass(frozen=True)
class _Curve:
    """A term at every point of a grid.

    Args:
        term: Its features.
        grids: The values along each side, in natural units.
        values: What the term adds at each point ``(G, outputs)``.
        cases: The values of the training rows, of each feature.
    """

    term: tuple[str, ...]
    grids: list[NDArray[Any]]
    values: NDArray[np.float64]
    cases: list[pd.Series[Any]]


def _curves(classifier: Classifier, dataset: Dataset, terms: Sequence[tuple[str, ...]]) -> list[_Curve]:
    network, schema = _additive(classifier), classifier.schema
    frame = schema.decode(dataset.inputs)
    curves = []
    for term in terms:
        cases = [frame[name] for name in term]
        grids = [_grid(schema[name], column, _SIDE if len(term) == 2 else _POINTS) for name, column in zip(term, cases, strict=True)]
        points = torch.tensor(list(product(*(range(len(grid)) for grid in grids))))
        x = dataset.inputs[:1].repeat(len(points), 1)
        for side, name in enumerate(term):
            encoded = torch.from_numpy(encode_column(schema[name], pd.Series(grids[side]), schema.encoding))
            x[:, schema.groups[name]] = encoded[points[:, side]].to(x)
        values = network.contributions(x.to(classifier.device))[:, network.terms.index(term)]
        curves.append(_Curve(term, grids, _two_sided(values).cpu().double().numpy(), cases))
    return curves


def _draw(curve: _Curve, classifier: Classifier, limits: tuple[float, float], output: int, ax: Axes) -> Sequence[Any]:
    """Draw one term; what a legend names of it."""
    drawn: Sequence[Any] = ()
    title = " × ".join(shorten(name, 30) for name in curve.term)
    if len(curve.term) == 2:
        if len(classifier.classes) > 2:
            title = f"{title}, {shorten(classifier.classes[output], 20)}"
        surface = curve.values[:, output].reshape(len(curve.grids[0]), -1)
        draw_surface(ax, curve.term, curve.grids, surface, curve.cases, max(-limits[0], limits[1]))
    else:
        (grid,), values, (cases,) = curve.grids, curve.values, curve.cases
        if not is_listed(grid):
            drawn = draw_lines(ax, grid, values, cases, limits)
            ax.set_xlabel(classifier.schema[curve.term[0]].unit)
        else:
            if len(grid) > _BARS:
                title = f"{title}, the {_BARS} most frequent of {len(grid)}"
                chosen = np.sort(np.argsort([-share(cases, value) for value in grid], kind="stable")[:_BARS])
                grid, values = grid[chosen], values[chosen]
            drawn = draw_bars(ax, grid, values, cases, limits)
    ax.set_title(shorten(title, 60), loc="left", fontsize="medium")
    return drawn


def _additive(classifier: Classifier) -> AdditiveNetwork:
    if not isinstance(classifier.module, AdditiveNetwork):
        raise NotApplicableError(
            "curves are drawn of an additive network, whose logits are a sum of terms", remedy='train one with architecture = "additive"'
        )
    return classifier.module


def _grid(feature: Feature, cases: pd.Series[Any], points: int) -> NDArray[Any]:
    """Values of a feature in natural units, from the lowest to the highest of the cases, or every category."""
    if feature.categories:
        return np.array(feature.categories, dtype=object)
    if feature.kind == "binary":
        return np.array([feature.low or 0.0, 1.0 if feature.high is None else feature.high], dtype=object)
    low, high = float(cases.min()), float(cases.max())
    return np.arange(low, high + 1) if feature.kind == "integer" and high - low < points else np.linspace(low, high, points)


def _two_sided(values: Tensor) -> Tensor:
    """The output that is drawn: of two classes the log-odds ``(..., 1)``, of more each logit ``(..., K)``."""
    return values[..., 1:] - values[..., :1] if values.shape[-1] == 2 else values
