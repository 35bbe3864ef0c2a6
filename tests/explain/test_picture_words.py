"""In every picture, names from data come out as they are: never as mathematics, and Chinese where the machine has a font."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import torch
from cases import cases
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter
from torch import nn

import explain.figures
from classifier import Classifier, Dataset
from explain import Explanation, attribute
from explain.behaviour.depending import dependence
from explain.behaviour.h_statistic import interaction_strength
from explain.behaviour.permutation_importance import importance
from explain.behaviour.prototyping import prototypes
from explain.behaviour.surrogate_tree import surrogate
from explain.concepts.testing import tcav
from explain.counterfactual.finding import counterfactuals
from explain.figures import FIGURES
from explain.figures._picture import picture
from explain.figures._style import axes_or_new, font_families, shorten, width_of
from explain.figures.bar import draw_bar
from explain.figures.behaviour.curves import draw_curve, draw_curves
from explain.figures.behaviour.decision_boundary import draw_decision_boundary
from explain.figures.edge_mask import draw_graph
from explain.figures.heatmap import draw_heatmap
from explain.figures.scatter import draw_scatter
from explain.figures.text import draw_text
from explain.figures.training.training_curves import draw_training_curves
from explain.games.interacting import interactions
from explain.internals.activity import activations
from explain.internals.ascent import maximise_activation
from explain.internals.attention import attention_weights
from explain.internals.computation import network_graph
from explain.internals.diagnosing import diagnose
from explain.internals.kernels import filters
from explain.internals.landscape import loss_landscape
from explain.internals.trajectories import hidden_states
from explain.training_data.influencing import training_influence
from explain.training_data.mislabelling import mislabelled
from trainer import Recipe

COST, INCOME, COUNT, FLAG, HOME = "cost $\\frac$", "收入 $x_{$ y^2", "a_$_b", "_<b>$x_1$</b>", "城市^$_$"
LONG = "很长的名字_$x_1$_" * 14
FEATURES = (COST, INCOME, COUNT, FLAG, HOME)
CLASSES = ("_$^$_低", "cost_$_high", "坏<b>$x_1$", LONG)
CATEGORIES = ("$^$ 租", "own_$x$", LONG)


@cache
def hostile(modality: str, count: int = 2) -> Dataset:
    """The cases of the laws under names that no picture may read as anything but names."""
    data = cases(modality, count)
    frame = data.frame().drop(columns="(class)")
    if modality == "tabular":
        frame.columns = FEATURES
        frame[HOME] = np.array(CATEGORIES)[np.arange(len(frame)) % 3]
    if modality == "text":
        frame = pd.DataFrame({"text": [f"$x_1$ 很好 {LONG.lower()} a_$^$ {word}" for word in ("bad", "good") * (len(frame) // 2)]})
    if modality == "sequence":
        columns = [pd.DataFrame(np.asarray(cell)).set_axis([INCOME, LONG], axis=1) for cell in frame.iloc[:, 0]]
        frame = pd.DataFrame({"series": pd.Series(columns, dtype=object)})
    names = np.array(CLASSES)[data.labels.numpy()]
    return Dataset.from_frame(frame.assign(y=names), target="y", modality=modality)


@cache
def network(modality: str, architecture: str, count: int = 2, **options: object) -> Classifier:
    data = hostile(modality, count)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        kind = Recipe(architecture, options=dict(options)).network()
        return Classifier.wrap(kind.build(data.schema, count), schema=data.schema, classes=data.classes, factory=kind)


@cache
def explained(modality: str, architecture: str, method: str, rows: int = 6, **options: object) -> Explanation:
    data = hostile(modality)
    return attribute(network(modality, architecture), data.inputs[:rows], method, **options)


def table(method: str = "exact_shapley", rows: int = 6) -> Explanation:
    return explained("tabular", "mlp", method, rows)


def two_numbers() -> Axes:
    data = hostile("tabular")
    pair = Dataset.from_frame(data.frame()[[COST, INCOME]].assign(y=np.array(CLASSES)[data.labels.numpy()]), target="y")
    linear = Classifier.wrap(nn.Linear(2, 2), schema=pair.schema, classes=pair.classes)
    return draw_decision_boundary(linear, pair.inputs, pair.labels)


def named_layers() -> Classifier:
    data = hostile("tabular")
    module = nn.Sequential()
    for name, layer in (("a$^$", nn.Linear(data.inputs.shape[1], 3)), ("激活_$x$", nn.ReLU()), ("z", nn.Linear(3, 2))):
        module.add_module(name, layer)
    return Classifier.wrap(module, schema=data.schema, classes=data.classes)


def sensitivity() -> Axes:
    x = hostile("tabular").inputs
    return tcav(named_layers(), {COST: x[:6], LONG: x[6:12]}, x, x, "a$^$").plot()


def influence(modality: str, architecture: str) -> Axes:
    data = hostile(modality)
    net = network(modality, architecture)
    return training_influence(net, data, data.inputs[:1], method="nearest_neighbours").plot()


SHORT = (COST, INCOME, COUNT, FLAG, HOME)
PICTURES: dict[str, tuple[Callable[[], Axes | Figure], tuple[str, ...]]] = {
    "waterfall": (lambda: table()[0].plot("waterfall"), SHORT),
    "bar": (lambda: table().plot("bar"), SHORT),
    "bar of one": (lambda: table("lime")[0].plot("bar"), SHORT),
    "beeswarm": (lambda: table().plot("beeswarm"), SHORT),
    "decision": (lambda: table().plot("decision"), SHORT),
    "scatter": (lambda: draw_scatter(table(), COUNT, color_by=INCOME), (COUNT, INCOME)),
    "scatter of categories": (lambda: draw_scatter(table(), HOME), (HOME, *CATEGORIES[:2])),
    "heatmap": (lambda: draw_heatmap(np.zeros((4, 4, 1)), np.eye(4), label=COST, title=INCOME, words=(HOME, COUNT)), (COST, INCOME, HOME)),
    "heatmap of one": (lambda: explained("image", "cnn", "feature_ablation")[0].plot(), ()),
    "text": (lambda: explained("text", "transformer_text", "feature_ablation", 1)[0].plot(), ("很", "$")),
    "long tokens": (lambda: draw_text([COST, LONG, INCOME], [1, 2, 3], label=FLAG, title=HOME), (COST, INCOME, FLAG, HOME)),
    "series": (lambda: explained("sequence", "temporal_cnn", "feature_ablation")[0].plot(), (INCOME,)),
    "edge mask": (lambda: explained("graph", "graph_attention", "feature_ablation")[0].plot(), ()),
    "graph": (lambda: draw_graph(["$x$", "坏", "a_b"], [(0, 1), (1, 2)], [1, 2], label=COST, notes=[LONG]), ("$x$", "坏", "a_b", COST)),
    "curves": (
        lambda: draw_curves(network("tabular", "additive", 3), hostile("tabular", 3), features=[COUNT, HOME]),
        (COUNT, HOME, CLASSES[0]),
    ),
    "curve": (lambda: draw_curve(network("tabular", "additive", 3), hostile("tabular", 3), [COST]), (COST, *CLASSES[:3])),
    "boundary": (two_numbers, (COST, INCOME, *CLASSES[:2])),
    "ale": (lambda: dependence(network("tabular", "mlp", 4), hostile("tabular", 4), COST, resamples=20).plot(), (COST, *CLASSES[:2])),
    "ice": (lambda: dependence(network("tabular", "mlp", 4), hostile("tabular", 4), HOME, "ice", resamples=20).plot(), (HOME,)),
    "pair": (lambda: dependence(network("tabular", "mlp"), hostile("tabular"), (HOME, FLAG), "pdp", resamples=20).plot(), (HOME, FLAG)),
    "importance": (lambda: importance(network("tabular", "mlp"), hostile("tabular")).plot(), SHORT),
    "strength": (lambda: interaction_strength(network("tabular", "mlp"), hostile("tabular"), resamples=20).plot(), (COUNT,)),
    "interactions": (lambda: interactions(network("tabular", "mlp"), hostile("tabular").inputs[:1]).plot(), SHORT),
    "surrogate": (lambda: surrogate(network("tabular", "mlp"), hostile("tabular"), smallest=2).plot(), ()),
    "prototypes": (lambda: prototypes(network("tabular", "mlp"), hostile("tabular"), count=1).plot(), SHORT),
    "prototypes of texts": (
        lambda: prototypes(network("text", "transformer_text", width=8), hostile("text"), count=1, layer="head").plot(),
        ("$x_1$很好",),
    ),
    "concepts": (sensitivity, (COST,)),
    "counterfactuals": (lambda: counterfactuals(network("tabular", "mlp"), hostile("tabular").inputs[:1], evaluations=500).plot(), ()),
    "influential rows": (
        lambda: training_influence(
            network("tabular", "mlp"), hostile("tabular"), hostile("tabular").inputs[:3], method="nearest_neighbours"
        ).plot(),
        (CLASSES[0],),
    ),
    "influential cells": (lambda: influence("tabular", "mlp"), (*SHORT, CATEGORIES[0])),
    "influential texts": (lambda: influence("text", "transformer_text"), (CLASSES[0],)),
    "influential series": (lambda: influence("sequence", "temporal_cnn"), (INCOME,)),
    "suspects": (lambda: mislabelled(network("tabular", "mlp"), hostile("tabular")).plot(), (*SHORT, CLASSES[0])),
    "activations": (lambda: activations(named_layers(), hostile("tabular").inputs, "a$^$").plot(), ("a$^$",)),
    "attention": (lambda: attention_weights(network("tabular", "attention_table", heads=1), hostile("tabular").inputs[:1]).plot(), ()),
    "attention lines": (
        lambda: attention_weights(network("tabular", "attention_table", heads=1), hostile("tabular").inputs[:1]).plot_lines(),
        (),
    ),
    "network": (lambda: network_graph(named_layers()).plot(), ("a$^$", "激活_$x$")),
    "filters": (lambda: filters(named_layers(), "a$^$").plot(), ("a$^$", COST, INCOME)),
    "hidden states": (
        lambda: hidden_states(network("sequence", "attention_recurrent"), hostile("sequence").inputs).plot(),
        (CLASSES[0],),
    ),
    "maximised table": (lambda: maximise_activation(named_layers(), "a$^$", 1, steps=3).plot(), ("a$^$", COST)),
    "maximised series": (
        lambda: maximise_activation(network("sequence", "temporal_cnn"), "head", 1, steps=3).plot(),
        (INCOME,),
    ),
    "gradients": (lambda: diagnose(named_layers(), hostile("tabular")).plot(), ("a$^$", "激活_$x$")),
    "landscape": (lambda: loss_landscape(named_layers(), hostile("tabular"), dimensions=1, points=5).plot(), ()),
    "training": (lambda: draw_training_curves([2, 1], [2, 1], chosen=2, label=COST, title=LONG), (COST,)),
}


def written(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_text()]


def joined(text: str) -> str:
    """Without the breaks of lines, which are no part of a name."""
    return "".join(text.split())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", PICTURES)
def test_names_come_out_as_they_are(name: str) -> None:
    draw, names = PICTURES[name]
    with warnings.catch_warnings():
        if len(font_families()) == 1:
            warnings.filterwarnings("ignore", "Glyph")
        figure = draw().figure
        figure.set_dpi(40)
        # What saving does, without drawing twice what is drawn.
        FigureCanvasAgg(figure).print_png(BytesIO())
        figure.set_layout_engine("none")
        with rc_context({"svg.fonttype": "none"}):
            FigureCanvasSVG(figure).print_svg(BytesIO())
    said = [joined(text.get_text()) for text in written(figure)]
    for wanted in names:
        assert any(joined(wanted) in text for text in said), f"{wanted!r} is not in the picture"
    for text in written(figure):
        if "\\mathdefault" not in text.get_text():
            assert "$" not in text.get_text() or not text.get_parse_math()
            assert max(text.get_text()) < "\u2e80" or text.get_fontfamily()[-1] == font_families()[-1]


def modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(explain.figures.__path__, "explain.figures."):
        if not found.ispkg and not found.name.rpartition(".")[2].startswith("_"):
            yield found.name


def test_every_figure_goes_through_picture() -> None:
    for name in modules():
        module = importlib.import_module(name)
        functions = [value for key, value in vars(module).items() if key.startswith(("draw_", "plot_")) and callable(value)]
        assert any(hasattr(function, "__wrapped__") for function in functions), f"nothing in {name} is decorated with picture"
    assert set(FIGURES) <= {name.rpartition(".")[2] for name in modules()}


def test_what_stood_in_the_readers_figure_stays_as_it_was() -> None:
    figure = Figure()
    theirs, ax = figure.subplots(1, 2)
    theirs.set_title("$\\alpha$")
    ax.set_title("$\\beta$")
    draw_bar([COST], [1.0], label=INCOME, title=HOME, ax=ax)
    assert theirs.title.get_parse_math()
    assert ax.title.get_parse_math()
    assert not ax._left_title.get_parse_math()  # type: ignore[attr-defined]


def test_powers_of_ten_stay_mathematics() -> None:
    @picture
    def draw(ax: Axes | None = None) -> Axes:
        ax = axes_or_new(ax)
        ax.semilogx([1e-4, 1], [0, 1])
        ax.set_yticks([0, 1], ["$x_1$", "b"])
        return ax

    ax = draw()
    ax.figure.draw_without_rendering()
    assert isinstance(ax.xaxis.get_major_formatter(), LogFormatter)
    powers = [label for label in ax.get_xticklabels() if "10^" in label.get_text()]
    assert powers
    assert all(label.get_parse_math() for label in powers)
    assert [label.get_parse_math() for label in ax.get_yticklabels()] == [False, False]


def test_a_long_title_ends_within_the_figure_and_a_value_is_not_cut_off_with_its_name() -> None:
    figure = draw_bar(["a"], [1.0], label="b " * 90, title=LONG).figure
    figure.draw_without_rendering()
    for text in (figure.axes[0].xaxis.label, figure.axes[0]._left_title):  # type: ignore[attr-defined]
        assert text.get_window_extent().x1 <= figure.bbox.x1 + 1
    row = table()[0]
    label = next(label.get_text() for label in row.plot("waterfall").get_yticklabels() if label.get_text().startswith(HOME))
    assert label == f"{HOME} = {CATEGORIES[0]}"


def test_a_text_is_cut_by_the_room_that_it_takes() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
    assert shorten("一二三", 6) == "一二三"
    assert shorten("一二三四", 6) == "一二…"
    assert width_of("a一") == 3
