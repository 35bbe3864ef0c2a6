"""Every figure of the inside of a network is drawn, and says what it shows."""

import numpy as np
import pytest
import torch
from cases import cases
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import nn

from classifier import Classifier
from classifier.errors import ConfigurationError
from explain.figures._style import axes_or_new
from explain.figures.network.activation_maps import draw_activations
from explain.internals.activity import activations
from explain.internals.ascent import maximise_activation
from explain.internals.attention import attention_weights
from explain.internals.computation import network_graph
from explain.internals.diagnosing import diagnose
from explain.internals.kernels import filters
from explain.internals.landscape import loss_landscape
from explain.internals.trajectories import hidden_states
from trainer import Recipe


def fresh(modality: str, architecture: str, **options: object) -> Classifier:
    data = cases(modality, 2)
    torch.manual_seed(0)
    network = Recipe(architecture, options=options).network().build(data.schema, 2)
    return Classifier.wrap(network, schema=data.schema, classes=data.classes)


def words(figure: Figure) -> str:
    """All that is written in a figure, once it is drawn, in one line."""
    figure.canvas.draw()
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())


def test_attention_is_drawn_head_by_head_with_the_names_of_tokens() -> None:
    view = attention_weights(fresh("tabular", "attention_table", width=8, heads=2), cases("tabular", 2).inputs[:2])
    figure = view.plot(1)
    panels = [ax for ax in figure.axes if ax.images]
    assert len(panels) == 4
    np.testing.assert_allclose(panels[3].images[0].get_array(), view.weights[1, 1, 1])
    assert all(word in words(figure) for word in ("layer 2, head 2", "east", "(asks)", "sums to 1"))
    assert "1 of 2 layers, 1 of 2 heads" in words(view.plot(0, layers=1, heads=1))
    lines = view.plot_lines(0, layer=2, head=1)
    assert "layer 2, head 1" in words(lines.figure)
    assert 0 < len(lines.collections[0].get_segments()) <= 48
    with pytest.raises(ConfigurationError, match="layers and heads must be at least 1"):
        view.plot(0, layers=0)


def test_a_pooling_is_drawn_as_a_bar_a_step() -> None:
    view = attention_weights(fresh("sequence", "attention_recurrent"), cases("sequence", 2).inputs[:2])
    (ax,) = view.plot(0).axes
    heights = [bar.get_height() for bar in ax.patches]
    assert sum(heights) == pytest.approx(1, abs=1e-5)
    assert len(heights) == int(view.there[0].sum())
    assert "the answer" in words(view.plot_lines(0).figure)


def test_activations_are_drawn_by_what_a_layer_gives() -> None:
    found = activations(fresh("image", "cnn", channels=(4,)), cases("image", 2).inputs, ["3", "8"])
    maps = found.plot("3", 2)
    assert len([ax for ax in maps.axes if ax.images]) == 4
    assert "layer 3 gives for input 2: 4 channels" in words(maps)
    assert "24 inputs" in words(found.plot("8"))
    steps = activations(fresh("sequence", "temporal_cnn"), cases("sequence", 2).inputs[:3], "blocks.0")
    assert "layer blocks.0 gives for input 0" in words(steps.plot())
    with pytest.raises(ConfigurationError, match="row must lie in 0 to 23, got 24"):
        found.plot("3", 24)
    with pytest.raises(ConfigurationError, match="cannot be drawn"):
        draw_activations(torch.zeros(2, 3, 4, 5, 6), "five")


def test_filters_are_drawn_as_pictures_or_by_feature() -> None:
    images = filters(fresh("image", "cnn"), "1").plot(limit=6)
    assert "6 of 16, the largest" in words(images)
    table = filters(fresh("tabular", "mlp"), "2").plot(limit=5)
    assert all(word in words(table) for word in ("east", "home=own", "5 of 64"))
    assert "place 7" in words(filters(fresh("sequence", "temporal_cnn"), "blocks.0.first").plot())
    torch.manual_seed(0)
    colors = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 2))
    from classifier.schema import Feature, Schema

    schema = Schema("image", tuple(Feature(name, "continuous", 0.0, 1.0) for name in ("red", "green", "blue")), size=(16, 16))
    figure = filters(Classifier.wrap(colors, schema=schema, classes=("a", "b")), "0").plot()
    assert [ax.images[0].get_array().shape for ax in figure.axes] == [(3, 3, 3)] * 4


MADE_UP = [("image", "cnn", "16"), ("tabular", "mlp", "4"), ("sequence", "attention_recurrent", "head")]


@pytest.mark.parametrize(("modality", "architecture", "layer"), MADE_UP)
def test_made_up_inputs_are_drawn(modality: str, architecture: str, layer: str) -> None:
    found = maximise_activation(fresh(modality, architecture), layer, 1, steps=5)
    assert f"unit 1 of layer {layer}" in words(found.plot())
    assert found._repr_html_().startswith("<p>Maximised")


def test_hidden_states_are_drawn_with_the_share_of_variance_and_the_classes() -> None:
    found = hidden_states(fresh("sequence", "attention_recurrent"), cases("sequence", 2).inputs)
    figure = found.plot()
    assert all(word in words(figure) for word in ("of the variance", "Size by step", "class "))
    assert "read from the last step to the first" in words(found.plot("backwards.0"))
    assert found._repr_html_().startswith('<img alt="" src="data:image/png')


def test_a_graph_has_a_box_for_each_step_and_a_line_for_each_way_around() -> None:
    graph = network_graph(fresh("image", "resnet", channels=(4, 8)))
    ax = graph.plot()
    assert len(ax.patches) >= len(graph.nodes)
    assert all(word in words(ax.figure) for word in ("4.branch.0", "Conv2d", "16 x 16", "add", f"{graph.total:,} parameters"))
    ways = {source for place, node in enumerate(graph.nodes) for source in node.sources if place - source > 1}
    assert len(ax.lines) == len(ways)


def test_gradient_flow_names_what_was_found() -> None:
    data = cases("tabular", 2)
    module = nn.Sequential(nn.Linear(7, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad():
        module[0].bias[:] = -100.0
    found = diagnose(Classifier.wrap(module, schema=data.schema, classes=data.classes), data)
    text = words(found.plot().figure)
    assert all(word in text for word in ("8 of 8 dead", "found: dead", "none"))
    ours, _ = Figure().subplots(1, 2)
    found.plot(ours)
    assert "found: dead" in ours.get_title(loc="left")
    assert not ours.figure.texts, "nothing is written over the other axes"


@pytest.mark.parametrize("dimensions", [1, 2])
def test_a_landscape_is_drawn_with_the_network_in_the_middle(dimensions: int) -> None:
    found = loss_landscape(fresh("tabular", "mlp"), cases("tabular", 2), dimensions=dimensions, points=5)
    ax = found.plot()
    assert "24 rows" in words(ax.figure)
    assert any(line.get_marker() == "*" for line in ax.lines)
    given = axes_or_new(None)
    assert found.plot(given) is given
