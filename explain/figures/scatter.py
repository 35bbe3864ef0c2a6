"""Scatter: the attribution of one feature in every row over the feature's value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classifier.errors import NotApplicableError, did_you_mean
from classifier.schema import Feature
from classifier.seeds import Seed
from explain.figures import FIGURES
from explain.figures._picture import picture
from explain.figures._style import FAINT, INK, LEVELS, LOWERS, axes_or_new, shorten, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.explanation import Explanation


@picture
def draw_scatter(explanation: Explanation, feature: str, *, color_by: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw one dot a row: across, the value of a feature in natural units; up, its attribution.

    Dots of one value at different heights mean that other features decide what this one does.

    Args:
        explanation: Of a table.
        feature: The feature.
        color_by: A numeric feature whose value colours the dots.
        ax: Where to draw; a new figure where there is none.

    Raises:
        NotApplicableError: If the inputs are no table, or have no such feature.
    """
    schema = explanation.schema
    if schema.modality != "tabular":
        raise NotApplicableError(
            f"a scatter shows a feature of a table, and the inputs are {schema.modality}", remedy='draw explanation.plot("bar")'
        )
    for name in (feature, *([] if color_by is None else [color_by])):
        if name not in schema.names:
            raise NotApplicableError(f"the table has no feature {name!r}", remedy=did_you_mean(name, schema.names))
    if color_by is not None and not schema[color_by].numeric:
        raise NotApplicableError(f"colours show a number, and {color_by!r} is {schema[color_by].kind}", remedy="name a numeric feature")
    cases = schema.decode(explanation.inputs)
    values = explanation.by_feature()[:, schema.names.index(feature)].numpy()
    ax = axes_or_new(ax)
    # Where dots of one whole number or category lie is drawn from the feature, so that it stays.
    beside = "; dots of one value lie beside each other" if schema[feature].kind != "continuous" else ""
    jitter = Seed(0, ("scatter", feature)).numpy().uniform(-0.18, 0.18, len(values))
    if schema[feature].numeric:
        across = cases[feature].to_numpy(dtype=float) + (jitter if beside else 0)
    else:
        categories = list(schema[feature].categories)
        across = np.array([categories.index(value) for value in cases[feature]]) + jitter
        ax.set_xticks(range(len(categories)), [shorten(name, 18) for name in categories])
        if sum(map(len, categories)) > 60:
            ax.tick_params(axis="x", rotation=30)
    ax.set_xlabel(_with_unit(schema[feature]) + beside)
    size = float(np.clip(2000 / len(values), 6, 28))
    if color_by is None:
        ax.scatter(across, values, s=size, color=LOWERS, alpha=0.7, linewidths=0)
    else:
        dots = ax.scatter(across, values, s=size, c=cases[color_by].to_numpy(dtype=float), cmap=LEVELS, linewidths=0)
        bar = ax.figure.colorbar(dots, ax=ax, aspect=30, pad=0.02)
        bar.set_label(_with_unit(schema[color_by]), color=INK)
        bar.outline.set_visible(False)
    ax.axhline(0, color=FAINT, linewidth=1, zorder=0)
    ax.set_ylabel(explanation.label)
    ax.set_title(f"{shorten(feature)} in {len(explanation)} rows ({explanation.method_name})", loc="left", fontsize="medium")
    tidy_axes(ax)
    return ax


def _with_unit(feature: Feature) -> str:
    return f"{shorten(feature.name)}, in {feature.unit}" if feature.unit else shorten(feature.name)


@FIGURES.register
def plot_scatter(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw the most important feature; `draw_scatter` draws any.

    Raises:
        NotApplicableError: If the inputs are no table.
    """
    most = int(explanation.importance().argmax()) if explanation.schema.modality == "tabular" else 0
    return draw_scatter(explanation, explanation.schema.names[most], ax=ax)
