"""Graphs: they come back from encoding, their players are nodes, and a node that is left out takes its edges with it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from classifier import Dataset, Feature, Schema
from classifier.errors import AssayError, ConfigurationError, DataError
from classifier.modalities.graph import Graph, Graphs, graphs_frame
from classifier.modality import modality_of
from classifier.perturbation import PerturbationSet
from classifier.seeds import Seed

FLAG = Feature("(observed)", "binary", mutable=False)
ATOM = Feature("atom", "categorical", categories=("C", "N", "O"))
CHARGE = Feature("charge", "continuous", low=-1.0, high=1.0, unit="e")
SCHEMAS = {
    "labels": Schema("graph", (ATOM, FLAG), size=(7,)),
    "labels and numbers": Schema("graph", (ATOM, CHARGE, FLAG), size=(6,)),
    "no features": Schema("graph", (FLAG,), size=(5,)),
}


@pytest.fixture(params=SCHEMAS)
def modality(request: pytest.FixtureRequest) -> Graphs:
    found = modality_of(SCHEMAS[request.param])
    assert isinstance(found, Graphs)
    return found


def graphs(modality: Graphs, seed: int, count: int = 9) -> pd.DataFrame:
    """Graphs drawn at random, of all numbers of nodes; their edges are in no order and some stand twice."""
    generator, (extent,) = Seed(seed, ("graphs",)).numpy(), modality.schema.size
    cells = []
    for _ in range(count):
        nodes = int(generator.integers(1, extent + 1))
        columns: dict[str, Any] = {"atom": generator.choice(["C", "N", "O"], nodes), "charge": generator.uniform(-1, 1, nodes).round(3)}
        known = pd.DataFrame({name: columns[name] for name in modality.schema.names if name in columns}, index=range(nodes))
        cells.append(Graph(known, generator.integers(0, nodes, (int(generator.integers(0, 9)), 2))))
    return pd.DataFrame({"graph": pd.Series(cells, dtype=object)})


def rows(modality: Graphs, seed: int, count: int = 9) -> torch.Tensor:
    return modality.schema.encode(graphs(modality, seed, count))


def joined(graph: Graph) -> set[tuple[int, int]]:
    """The pairs of different nodes that an edge joins."""
    return {(min(a, b), max(a, b)) for a, b in graph.edges.tolist() if a != b}


def test_decoding_gives_back_what_was_encoded(modality: Graphs) -> None:
    given = graphs(modality, 0)
    for before, after in zip(given["graph"], modality.decode(modality.encode(given))["graph"], strict=True):
        assert list(after.nodes.columns) == list(before.nodes.columns)
        assert len(after.nodes) == len(before.nodes)
        for name in before.nodes.columns:
            assert after.nodes[name].tolist() == (
                pytest.approx(before.nodes[name].tolist(), abs=1e-5) if name == "charge" else before.nodes[name].tolist()
            )
        assert joined(after) == joined(before)
        assert len(after.edges) == len(joined(before))


def test_the_adjacency_matrix_is_symmetric_and_joins_no_node_to_itself(modality: Graphs) -> None:
    nodes, adjacency = modality.parts(rows(modality, 1))
    assert torch.equal(adjacency, adjacency.mT)
    assert adjacency.diagonal(dim1=1, dim2=2).sum() == 0
    assert set(adjacency.unique().tolist()) <= {0.0, 1.0}
    assert adjacency[nodes[..., -1] == 0].sum() == 0


def test_the_players_are_the_nodes(modality: Graphs) -> None:
    (extent,) = modality.schema.size
    assert modality.players == tuple(f"node {index + 1}" for index in range(extent))
    assert modality.membership.shape == modality.schema.shape == (extent, len(modality.schema.columns) + extent)
    assert all((modality.membership[index] == index).all() for index in range(extent))
    assert not modality.aligned


def test_gather_takes_back_what_spread_laid_out(modality: Graphs) -> None:
    x = rows(modality, 0)
    values = torch.randn(len(x), len(modality.players), generator=Seed(0).torch())
    spread = modality.spread(values, x)
    assert spread.shape == x.shape
    assert torch.equal(modality.gather(spread), values)


def test_a_node_that_is_left_out_takes_its_edges_with_it(modality: Graphs) -> None:
    x = rows(modality, 2)
    present = torch.rand(len(x), len(modality.players), generator=Seed(1).torch()) < 0.6
    nodes, adjacency = modality.parts(modality.mask(x, present, modality.neutral()))
    old_nodes, old_adjacency = modality.parts(x)
    assert torch.equal(nodes, old_nodes * present[..., None])
    assert torch.equal(adjacency, old_adjacency * present[:, :, None] * present[:, None, :])
    left = modality.mask(x, present, modality.neutral())
    some = modality.parts(left)[0][..., -1].sum(1) > 0
    assert modality.valid(left[some]).all()


def test_nodes_from_another_graph_bring_the_edges_among_themselves(modality: Graphs) -> None:
    x, other = rows(modality, 0), rows(modality, 1)
    players = len(modality.players)
    assert torch.equal(modality.mask(x, torch.ones(players, dtype=torch.bool), other), x)
    assert torch.equal(modality.mask(x, torch.zeros(players, dtype=torch.bool), other), other)
    present = torch.rand(len(x), players, generator=Seed(0).torch()) < 0.5
    adjacency = modality.parts(modality.mask(x, present, other))[1]
    assert (adjacency[present[:, :, None] & ~present[:, None, :]] == 0).all()
    assert torch.equal(adjacency, adjacency.mT)
    assert modality.mask(x[:1, None, None], present[:3, None], other[:7]).shape == (1, 3, 7, *modality.schema.shape)


def test_graphs_of_the_data_are_valid(modality: Graphs) -> None:
    assert modality.valid(rows(modality, 3, 50)).all()


@pytest.mark.parametrize("reach", [0.05, 0.4, 1.0])
def test_a_repaired_graph_is_valid_and_no_farther_from_the_centre(modality: Graphs, reach: float) -> None:
    centre = rows(modality, 4, 20)
    allowed = PerturbationSet.around(centre, modality.schema, eps=reach)
    x = allowed.random(Seed(5).torch())
    repaired = modality.repair(x, centre)
    assert modality.valid(repaired).all()
    assert ((repaired - centre).abs() - (x - centre).abs()).max() <= 1e-4
    assert torch.equal(modality.parts(repaired)[0][..., -1], modality.parts(centre)[0][..., -1])


def test_an_edge_changes_only_where_both_its_entries_went_all_the_way() -> None:
    modality = modality_of(SCHEMAS["no features"])
    assert isinstance(modality, Graphs)
    centre = modality.encode(pd.DataFrame({"graph": [Graph(pd.DataFrame(index=range(4)), np.array([[0, 1]]))]}))
    x = centre.clone()
    adjacency = modality.parts(x)[1][0]
    adjacency[0, 1] = adjacency[1, 0] = 0  # goes
    adjacency[1, 2] = adjacency[2, 1] = 1  # comes
    adjacency[2, 3] = 1  # one entry alone
    adjacency[0, 2] = adjacency[2, 0] = 0.9  # not all the way
    adjacency[3, 4] = adjacency[4, 3] = 1  # to a node that is not there
    (graph,) = modality.decode(modality.repair(x, centre))["graph"]
    assert joined(graph) == {(1, 2)}


BROKEN = ("no node", "half an edge", "one way", "a loop", "an edge to nothing", "a ghost", "half a node", "two atoms", "not a number")


@pytest.mark.parametrize("name", BROKEN)
def test_a_graph_that_cannot_exist_is_invalid(name: str) -> None:
    modality = modality_of(SCHEMAS["labels"])
    assert isinstance(modality, Graphs)
    given = Graph(pd.DataFrame({"atom": ["C", "N", "O"]}), np.array([[0, 1]]))
    x = modality.encode(pd.DataFrame({"graph": [given, given]}))
    nodes, adjacency = modality.parts(x[1])
    match name:
        case "no node":
            x[1] = 0
        case "half an edge":
            adjacency[0, 2] = adjacency[2, 0] = 0.5
        case "one way":
            adjacency[0, 2] = 1
        case "a loop":
            adjacency[0, 0] = 1
        case "an edge to nothing":
            adjacency[0, 5] = adjacency[5, 0] = 1
        case "a ghost":
            nodes[4, 0] = 1
        case "half a node":
            nodes[0, -1] = 0.5
        case "two atoms":
            nodes[0, 1] = 1
        case "not a number":
            nodes[0, 0] = torch.nan
    assert modality.valid(x).tolist() == [True, False]


def test_edges_may_change_and_whether_a_node_is_there_may_not(modality: Graphs) -> None:
    low, high = modality.schema.bounds
    (extent,) = modality.schema.size
    for bound, value in ((low, 0.0), (high, 1.0), (modality.schema.scale, 1.0)):
        assert bound.shape == modality.schema.shape
        assert (modality.parts(bound)[1] == value).all()
    for move in modality.movable:
        nodes, adjacency = modality.parts(move)
        assert torch.equal(adjacency, ~torch.eye(extent, dtype=torch.bool))
        assert not nodes[:, -1].any()
        assert nodes[:, :-1].all()


def test_the_typical_graph_is_empty_since_nodes_of_graphs_have_nothing_in_common(modality: Graphs) -> None:
    assert modality.typical(rows(modality, 0)).sum() == 0
    assert modality.neutral().shape == modality.schema.shape


def test_words_say_what_is_known_of_each_node() -> None:
    several = modality_of(SCHEMAS["labels and numbers"])
    given = Graph(pd.DataFrame({"atom": ["C", "O"], "charge": [0.25, -0.5]}), np.array([[0, 1]]))
    words = several.words(several.encode(pd.DataFrame({"graph": [given]})))[0]
    assert words["node 1"] == "atom C, charge 0.25 e, 1 edge"
    assert words["node 3"] == "no node"
    assert list(words) == list(several.players)


TU = {
    "A": "1, 2\n2, 1\n4, 5\n5, 4\n3, 4\n4, 3\n",
    "graph_indicator": "1\n1\n2\n2\n2\n",
    "graph_labels": "1\n-1\n",
    "node_labels": "0\n2\n0\n0\n1\n",
    "node_attributes": "0.5, 1\n0.25, 2\n0.75, 3\n1.5, 4\n2.5, 5\n",
    "edge_labels": "0\n0\n1\n1\n1\n1\n",
}


def folder(path: Path, **changed: str | None) -> Path:
    for part, text in {**TU, **changed}.items():
        if text is not None:
            (path / f"TWO_{part}.txt").write_text(text, encoding="ascii")
    return path


def test_a_folder_in_the_tu_format_is_read(tmp_path: Path) -> None:
    data = Dataset.read(folder(tmp_path), target="label", modality="graph", event="1")
    assert data.schema.names == ("node label", "x1", "x2", "(observed)")
    assert data.schema["node label"].categories == ("0", "1", "2")
    first, second = data.frame()["graph"]
    assert first.nodes["node label"].tolist() == ["0", "2"]
    assert second.nodes["x1"].tolist() == [0.75, 1.5, 2.5]
    assert (joined(first), joined(second)) == ({(0, 1)}, {(0, 1), (1, 2)})
    assert data.classes == ("-1", "1")
    assert data.labels.tolist() == [1, 0]
    assert data.cleaning is not None
    assert "edge labels are not used" in data.cleaning.notes


def test_graphs_without_labels_of_nodes_are_read_by_their_edges_alone(tmp_path: Path) -> None:
    data = Dataset.read(folder(tmp_path, node_labels=None, node_attributes=None), target="label", modality="graph")
    assert data.schema.names == ("(observed)",)
    assert modality_of(data.schema).words(data.inputs)[1]["node 2"] == "2 edges"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"A": "1, 3\n"}, "joins nodes of different graphs"),
        ({"A": "1, 9\n"}, "joins the node 9, and there are 5"),
        ({"graph_indicator": "1\n2\n1\n2\n2\n"}, r"must number the 2 graphs .* from 1, in their order"),
        ({"graph_labels": None}, r"has no file TWO_graph_labels\.txt"),
        ({"node_labels": "0\n1\n"}, r"has 5 nodes, but 2 values of 'node label'"),
        ({"node_labels": "0\none\n"}, r"TWO_node_labels\.txt must hold numbers"),
        ({"A": None}, r"0 files that end in _A\.txt"),
    ],
)
def test_files_that_make_no_graphs_are_refused(tmp_path: Path, changed: dict[str, str | None], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset.read(folder(tmp_path, **changed), target="label", modality="graph")


LINES = [
    {"nodes": ["C", "O", "C"], "edges": [[0, 1], [1, 2], [1, 1]], "label": "yes", "source": "a"},
    {"nodes": ["N"], "edges": [], "label": "no", "source": "b"},
]


def lines(path: Path, records: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    return path


def test_json_lines_are_read(tmp_path: Path) -> None:
    path = lines(tmp_path / "two.jsonl", LINES)
    data = Dataset.read(path, target="label", drop=("source",), modality="graph")
    first, second = data.frame()["graph"]
    assert first.nodes["node label"].tolist() == ["C", "O", "C"]
    assert joined(first) == {(0, 1), (1, 2)}
    assert len(second.edges) == 0
    assert data.attributes["source"].tolist() == ["a", "b"]
    assert data.cleaning is not None
    assert "1 edges from a node to itself were left out" in data.cleaning.notes


def test_nodes_of_json_lines_may_have_numbers_or_names(tmp_path: Path) -> None:
    numbers = [{"nodes": [[0.5, 1.0], [1.5, 3.0]], "edges": [[0, 1]], "label": c} for c in "ab"]
    assert Dataset.read(lines(tmp_path / "n.jsonl", numbers), target="label", modality="graph").schema.names[:2] == ("x1", "x2")
    named = [{"nodes": [{"age": 3}, {"age": 5}], "edges": [[0, 1]], "label": c} for c in "ab"]
    assert Dataset.read(lines(tmp_path / "d.jsonl", named), target="label", modality="graph").schema.names[0] == "age"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"nodes": ["C"], "label": "yes"}, r"line 3 of two\.jsonl has no 'edges'; a line is"),
        ({"nodes": ["C"], "edges": [[0, 1]], "label": "no"}, r"line 3 of two\.jsonl: an edge names the node 1, and there are 1"),
        ({"nodes": [], "edges": [], "label": "no"}, r"line 3 of two\.jsonl: a graph needs at least one node"),
        ({"nodes": ["C", "C"], "edges": [0, 1], "label": "no"}, r"line 3 of two\.jsonl: the edges of a graph must be"),
        ([1, 2], r"line 3 of two\.jsonl is no graph"),
        ({"nodes": [[1.0]], "edges": [], "label": "no"}, r"the graph in row 2 have the features x1, required are node label"),
    ],
)
def test_a_line_that_is_no_graph_is_refused_with_its_number(tmp_path: Path, record: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset.read(lines(tmp_path / "two.jsonl", [*LINES, record]), target="label", drop=("source",), modality="graph")


def test_objects_of_pytorch_geometric_are_taken_from_memory() -> None:
    data = pytest.importorskip("torch_geometric.data").Data
    given = [
        data(x=torch.tensor([[0.5, 1.0], [2.5, 0.0]]), edge_index=torch.tensor([[0, 1], [1, 0]]), y=torch.tensor([1])),
        data(x=torch.tensor([[1.5, 0.0]]), edge_index=torch.zeros(2, 0, dtype=torch.int64), y=torch.tensor(0)),
    ]
    found = Dataset.from_frame(graphs_frame(given), target="label", modality="graph")
    assert found.schema.names == ("x1", "x2", "(observed)")
    assert found.labels.tolist() == [1, 0]
    assert joined(found.frame()["graph"][0]) == {(0, 1)}
    bare = SimpleNamespace(x=None, num_nodes=2, edge_index=torch.tensor([[0], [1]]), edge_attr=torch.ones(1, 1), y=torch.tensor(1))
    assert graphs_frame([bare])["graph"][0].unused == ("edge attributes",)


def test_what_does_not_fit_the_schema_is_refused() -> None:
    modality = modality_of(SCHEMAS["no features"])
    large = Graph(pd.DataFrame(index=range(6)), np.zeros((0, 2), dtype=np.int64))
    with pytest.raises(DataError, match=r"row 0 has 6 nodes, at most 5 fit; leave it out, or state size = \[6\]"):
        modality.encode(pd.DataFrame({"graph": [large]}))
    with pytest.raises(DataError, match=r"the nodes have no feature 'atom'"):
        modality_of(SCHEMAS["labels"]).encode(pd.DataFrame({"graph": [large]}))
    with pytest.raises(DataError, match=r"0 columns of x hold graphs"):
        modality.encode(pd.DataFrame({"x": [1.0]}))
    with pytest.raises(ConfigurationError, match=r"the last feature of a graph must be '\(observed\)'"):
        Schema("graph", (ATOM,), size=(3,)).shape  # noqa: B018
    with pytest.raises(ConfigurationError, match=r"the size of a graph is \(nodes,\)"):
        Schema("graph", (FLAG,)).shape  # noqa: B018
    with pytest.raises(AssayError, match="must be whole numbers"):
        Graph(pd.DataFrame(index=range(2)), np.array([[0.0, 1.0]]))


def test_mutag_is_read_whole(mutag: Path) -> None:
    data = Dataset.read(mutag, target="label", modality="graph", event="1")
    modality = modality_of(data.schema)
    assert data.inputs.shape == (188, 28, 8 + 28)
    assert data.labels.bincount().tolist() == [63, 125]
    assert modality.valid(data.inputs).all()
    found = data.frame()["graph"]
    assert sum(len(graph.nodes) for graph in found) == 3371
    assert 2 * sum(len(graph.edges) for graph in found) == 7442
