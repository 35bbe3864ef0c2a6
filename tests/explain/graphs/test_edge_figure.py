"""The picture of a graph: where its nodes lie, and what its colours and widths say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Feature, Schema
from explain import attribute
from explain.figures._graph_layout import lay_out
from explain.figures._style import LOWERS, RAISES
from explain.figures.edge_mask import draw_graph
from tests.explain.graphs.motifs import HOUSE, WeightedEdges, plant, wrap


def test_a_path_lies_on_a_line_with_edges_of_length_1() -> None:
    places = lay_out(4, np.array([[0, 1], [1, 2], [2, 3]]))
    assert np.abs(np.diff(places[:, 0])) == pytest.approx(np.ones(3), abs=1e-2)
    assert np.abs(places[:, 1]).max() < 1e-2


def test_a_ring_lies_on_a_circle() -> None:
    places = lay_out(6, np.array([[i, (i + 1) % 6] for i in range(6)]))
    assert np.linalg.norm(places, axis=1) == pytest.approx(np.full(6, np.linalg.norm(places[0])), rel=1e-3)


def test_parts_that_nothing_joins_lie_apart_and_a_single_node_lies_somewhere() -> None:
    places = lay_out(5, np.array([[0, 1], [2, 3]]))
    assert np.isfinite(places).all()
    assert min(np.linalg.norm(places[i] - places[j]) for i in range(5) for j in range(i)) > 0.5
    assert lay_out(1, np.zeros((0, 2), dtype=np.int64)).tolist() == [[0, 0]]
    assert np.isfinite(lay_out(2, np.zeros((0, 2), dtype=np.int64))).all()


def test_the_same_graph_lies_the_same_way() -> None:
    edges = np.array([[0, 1], [1, 2], [2, 0], [2, 3], [3, 4]])
    assert np.array_equal(lay_out(5, edges), lay_out(5, edges))


def test_the_largest_edges_have_the_full_colours_and_the_greatest_width() -> None:
    ax = draw_graph(["C", "N", "O"], [(0, 1), (1, 2)], [2.0, -2.0], label="effect on the log-odds of b", errors=[0.5, 0.0])
    band, raises, lowers = ax.lines
    assert raises.get_color() == pytest.approx(to_rgba(RAISES), abs=0.01)
    assert lowers.get_color() == pytest.approx(to_rgba(LOWERS), abs=0.01)
    assert band.get_linewidth() > raises.get_linewidth() == lowers.get_linewidth()
    words = {text.get_text() for text in ax.texts}
    assert {"C", "N", "O", "+2 ± 0.5", "−2"} <= words
    assert ax.figure.axes[1].get_ylabel() == "effect on the log-odds of b"


@pytest.mark.parametrize("method", ["edge_occlusion", "exact_shapley", "edge_mask"])
def test_a_graph_is_drawn_by_the_edges_or_the_nodes_that_got_credit(method: str) -> None:
    x = plant(HOUSE).x[:1]
    explanation = attribute(wrap(WeightedEdges()), x, method)
    ax = explanation.plot("edge_mask")
    widths = {line.get_linewidth() for line in ax.lines}
    lines = [line for line in ax.lines if line.get_zorder() == 2]
    assert len(lines) == int(x[..., 5:].sum()) // 2
    assert (len(widths) == 1) == (method == "exact_shapley")
    assert ax.figure.axes[1].get_ylabel() == explanation.label
    assert explanation.method_name in ax.get_title(loc="left")
    ax.figure.draw_without_rendering()


def test_one_graph_at_a_time_and_nothing_but_graphs() -> None:
    explanation = attribute(wrap(WeightedEdges()), plant(HOUSE).x, "edge_occlusion")
    with pytest.raises(ConfigurationError, match="shows one graph, got 6"):
        explanation.plot("edge_mask")
    schema = Schema("tabular", (Feature("a", "continuous", 0.0, 1.0),))
    table = Classifier.wrap(torch.nn.Linear(1, 2), schema=schema, classes=("no", "yes"))
    with pytest.raises(NotApplicableError, match="edges are those of graphs, and the inputs are tabular"):
        attribute(table, torch.rand(1, 1), "exact_shapley").plot("edge_mask")
