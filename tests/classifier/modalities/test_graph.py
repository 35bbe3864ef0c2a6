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
        ({"A": "0, 2\n"}, "joins the node 0, and there are 5"),
        ({"A": "1, 2\n1.6, 2\n"}, r"TWO_A\.txt must hold whole numbers, got 1\.6, 2 in line 2"),
        ({"A": "1\n2\n"}, r"TWO_A\.txt must hold as many numbers in each line, 2, got 1 in line 1"),
        ({"graph_indicator": "1\n1\n2.5\n2\n2\n"}, r"TWO_graph_indicator\.txt must hold whole numbers, got 2\.5 in line 3"),
        ({"graph_labels": "nan\n1\n"}, r"TWO_graph_labels\.txt must hold whole numbers, got nan in line 1"),
        ({"graph_labels": "1, 2\n1, 3\n"}, r"TWO_graph_labels\.txt must hold as many numbers in each line, 1, got 2"),
        ({"node_labels": "0\n\n0.4\n0\n0\n1\n"}, r"TWO_node_labels\.txt must hold whole numbers, got 0\.4 in line 3"),
        ({"node_attributes": "0.5, 1\n0.25\n"}, r"TWO_node_attributes\.txt must hold as many numbers in each line, 2, got 1 in line 2"),
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
        ({"nodes": ["C", "C"], "edges": [0, 1], "label": "no"}, r"line 3 of two\.jsonl: edge 0 must be two whole numbers, got '0'"),
        ([1, 2], r"two\.jsonl holds a list in line 3, required is an object"),
        ({"nodes": [[1, 2.5], [1]], "edges": [], "label": "no"}, r"line 3 of two\.jsonl: node 1 has x1, required are x1, x2"),
        ({"nodes": [{"el": "C", "q": 1}, {"el": "O"}], "edges": [], "label": "no"}, "node 1 has el, required are el, q .*write null"),
        ({"nodes": ["C", ["O"]], "edges": [], "label": "no"}, "line 3 of two.jsonl: node 1 has x1, required are node label"),
        ({"nodes": [{"el": {"a": 1}}], "edges": [], "label": "no"}, "el of node 0 is .* required is one value"),
        ({"nodes": "CO", "edges": [], "label": "no"}, "line 3 of two.jsonl: the nodes must be a list, got 'CO'"),
        ({"nodes": ["C"], "edges": [[0, 0], [0.5, 0]], "label": "no"}, r"edge 1 must be two whole numbers, got '\[0.5, 0\]'"),
        ({"nodes": ["C"], "edges": [[0, 2**70]], "label": "no"}, "names a node beyond all numbers"),
        ({"nodes": ["\ud800"], "edges": [], "label": "no"}, "half a character in line 3"),
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


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": torch.tensor([0, 1])}, "object 1: y holds 2 numbers, required is one label"),
        ({"edge_index": None}, r"object 1: there is no edge_index; .*torch\.empty\(2, 0"),
        ({"edge_index": torch.tensor([[0.0], [1.0]])}, "object 1: edge_index must hold whole numbers"),
        ({"edge_index": torch.tensor([[0], [9]])}, "object 1: an edge names the node 9, and there are 3"),
        ({"x": torch.ones(4, 2)}, r"object 1: x must hold the numbers of 3 nodes, \(3, columns\), got \(4, 2\)"),
        ({"num_nodes": None}, "object 1: the number of its nodes is not known"),
    ],
)
def test_an_object_that_is_no_graph_is_refused_with_its_position(changed: dict[str, Any], message: str) -> None:
    fine = {"x": torch.ones(3, 2), "num_nodes": 3, "edge_index": torch.tensor([[0, 1], [1, 2]]), "y": torch.tensor(1)}
    with pytest.raises(DataError, match=message):
        graphs_frame([SimpleNamespace(**fine), SimpleNamespace(**{**fine, **changed})])


def test_a_missing_label_and_half_precision_are_taken() -> None:
    edges = torch.zeros(2, 0, dtype=torch.int64)
    given = [
        SimpleNamespace(x=torch.tensor([[0.5]], dtype=torch.bfloat16), num_nodes=1, edge_index=edges, y=y) for y in (None, torch.ones(1))
    ]
    found = graphs_frame(given)
    assert found["graph"][0].nodes["x1"].tolist() == [0.5]
    assert found["label"].isna().tolist() == [True, False]


def test_a_null_is_a_missing_value_of_a_node(tmp_path: Path) -> None:
    records = [{"nodes": [{"el": "C", "q": 1.5}, {"el": "O", "q": None}], "edges": [[0, 1]], "label": c} for c in "ab"]
    records[0]["nodes"][0]["q"] = 2.5  # type: ignore[index]
    data = Dataset.read(lines(tmp_path / "n.jsonl", records), target="label", modality="graph")
    assert data.cleaning is not None
    assert data.cleaning.missing == {"q": 2}


def test_several_labels_of_a_node_are_as_many_features(tmp_path: Path) -> None:
    data = Dataset.read(folder(tmp_path, node_labels="0, 4\n2, 4\n0, 5\n0, 5\n1, 7\n"), target="label", modality="graph")
    assert data.schema.names[:2] == ("node label 1", "node label 2")
    assert data.schema["node label 2"].categories == ("4", "5", "7")


def test_a_folder_without_edges_is_read(tmp_path: Path) -> None:
    data = Dataset.read(folder(tmp_path, A=""), target="label", modality="graph")
    assert [len(graph.edges) for graph in data.frame()["graph"]] == [0, 0]


def test_a_line_of_brackets_is_refused_and_a_separator_within_a_line_ends_none(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    path.write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"g\.jsonl is nested too deeply in line 1"):
        Dataset.read(path, target="label", modality="graph")
    path.write_text("\n".join(json.dumps({"nodes": ["C\u2028x", "O"], "edges": [], "label": c}, ensure_ascii=False) for c in "ab"))
    assert Dataset.read(path, target="label", modality="graph").schema["node label"].categories == ("C\u2028x", "O")


def test_a_value_that_cannot_be_is_named_by_graph_and_node(tmp_path: Path) -> None:
    records = [{"nodes": [[1.0], [2.0 if c == "a" else float("inf")]], "edges": [], "label": c} for c in "ab"]
    with pytest.raises(DataError, match="the non-finite value inf in graph 1, node 2; correct it"):
        Dataset.read(lines(tmp_path / "n.jsonl", records), target="label", modality="graph")


def test_what_is_stated_of_graphs_and_cannot_be_is_refused(tmp_path: Path) -> None:
    path = lines(tmp_path / "two.jsonl", LINES)
    with pytest.raises(ConfigurationError, match=r"the size of a graph is \[nodes\] in whole numbers, got \[2\.5\]"):
        Dataset.read(path, target="label", drop=("source",), modality="graph", size=(2.5,))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="'graph' is a column and no feature of its inputs; state it of 'node label'"):
        Dataset.read(path, target="label", drop=("source",), modality="graph", features={"graph": {"fill": "x"}})


LISTS = {
    "edges": "graph,source,target,bond\nm1,C1,O1,double\nm2,b,a,single\nm1,O1,H 1,single\nm1.0,x,x,single\n",
    "graphs": "graph,label,source\nm2,no,lab\nm1,yes,field\nm1.0,yes,lab\n",
    "nodes": "graph,node,charge,el\nm1,C1,0.5,C\nm2,a,1,C\nm1,O1,-1,O\nm1,H 1 ,0,H\nm2,b,2,O\nm1.0,x,3,O\nm2,alone,0,H\n",
}


def lists(path: Path, **changed: str | None) -> Path:
    for part, text in {**LISTS, **changed}.items():
        if text is not None:
            (path / f"{part}.csv").write_text(text, encoding="utf-8")
    return path


def test_a_folder_of_edge_lists_is_read(tmp_path: Path) -> None:
    data = Dataset.read(lists(tmp_path), target="label", drop=("source",), modality="graph", event="yes")
    assert data.schema.names == ("charge", "el", "(observed)")
    second, first, third = data.frame()["graph"]
    assert first.nodes["el"].tolist() == ["C", "O", "H"]
    assert joined(first) == {(0, 1), (1, 2)}
    assert second.nodes["charge"].tolist() == [1, 2, 0]
    assert joined(second) == {(0, 1)}
    assert len(third.nodes) == 1
    assert data.labels.tolist() == [0, 1, 1]
    assert data.attributes["source"].tolist() == ["lab", "field", "lab"]
    assert data.cleaning is not None
    assert "values 'bond' of edges are not used" in data.cleaning.notes
    digest = data.source["sha256"]
    lists(tmp_path, nodes=LISTS["nodes"].replace("0.5", "0.75"))
    assert Dataset.read(tmp_path, target="label", drop=("source",), modality="graph").source["sha256"] != digest


def test_without_a_table_of_nodes_they_are_those_that_an_edge_names(tmp_path: Path) -> None:
    data = Dataset.read(lists(tmp_path, nodes=None), target="label", drop=("source",), modality="graph")
    assert data.schema.names == ("(observed)",)
    second, first, third = data.frame()["graph"]
    assert [len(graph.nodes) for graph in (first, second, third)] == [3, 2, 1]
    assert joined(first) == {(0, 1), (1, 2)}
    assert joined(second) == {(0, 1)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"graphs": None}, r"there is no file .*graphs\.csv"),
        ({"edges": None}, r"there is no file .*edges\.csv"),
        ({"edges": LISTS["edges"].replace("source,target", "from,target")}, r"edges\.csv has no column 'source'"),
        ({"edges": LISTS["edges"].replace("bond", "source")}, r"edges\.csv has two columns 'source'"),
        ({"edges": LISTS["edges"] + "m9,a,b,single\n"}, "the graph and node 'm9' and 'a' of edges.csv are not in nodes.csv"),
        ({"edges": LISTS["edges"] + "m9,a,b,single\n", "nodes": None}, "the graph 'm9' of edges.csv is not in graphs.csv"),
        ({"edges": LISTS["edges"] + "m2,a,c,single\n"}, "the graph and node 'm2' and 'c' of edges.csv are not in nodes.csv"),
        ({"edges": LISTS["edges"] + "m2, ,a,single\n"}, "column 'source' of edges.csv lacks a value in row 4"),
        ({"graphs": LISTS["graphs"] + "m2,no,lab\n"}, "graphs.csv has graph 'm2' a second time in row 3"),
        ({"graphs": LISTS["graphs"] + "m3,no,lab\n"}, "the graph 'm3' of graphs.csv has no nodes"),
        ({"nodes": LISTS["nodes"] + "m2,a ,0,H\n"}, "nodes.csv has graph 'm2', node 'a' a second time in row 7"),
        ({"nodes": LISTS["nodes"] + "m7,a,0,H\n"}, "the graph 'm7' of nodes.csv is not in graphs.csv"),
    ],
)
def test_edge_lists_that_do_not_belong_together_are_refused(tmp_path: Path, changed: dict[str, str | None], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset.read(lists(tmp_path, **changed), target="label", drop=("source",), modality="graph")


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


def test_large_inputs_lie_on_disk(modality: Graphs, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = rows(modality, 0)
    monkeypatch.setattr("classifier.storage.IN_MEMORY", 16)
    x = rows(modality, 0)
    assert x.untyped_storage().filename
    assert x.equal(expected)
