"""Explanations of edges: closed forms, planted motifs, and what is refused."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modalities.graph import Graph
from explain import Explanation, attribute
from explain.graph_edges import edges_of, edges_there
from tests.explain.graphs.motifs import HOUSE, SCHEMA, TRIANGLE, WIDTH, Hidden, Houses, Triangles, WeightedEdges, plant, wrap

EDGES = ("edge_gradient", "edge_mask", "edge_occlusion")
MOTIFS = {"triangle": (TRIANGLE, Triangles()), "house": (HOUSE, Houses())}


@cache
def case(motif: str) -> tuple[Hidden, Classifier]:
    edges, module = MOTIFS[motif]
    return plant(edges), wrap(module)


@cache
def explained(method: str, motif: str) -> Explanation:
    hidden, classifier = case(motif)
    return attribute(classifier, hidden.x, method)


def sizes_and_truth(explanation: Explanation, hidden: Hidden) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The size of each edge's attribution, and whether it was planted."""
    table = edges_of(explanation)
    return table["attribution"].abs().to_numpy(), hidden.edges.numpy()[table["row"], table["node"], table["other"]]


def bare() -> Tensor:
    """A graph with edges, and one without."""
    nodes = pd.DataFrame({"charge": [0.1, 0.2], "kind": ["C", "N"]})
    graphs = [Graph(nodes, np.array([[0, 1]])), Graph(nodes, np.zeros((0, 2), dtype=np.int64))]
    return SCHEMA.encode(pd.DataFrame({"graph": pd.Series(graphs, dtype=object)}))


@pytest.mark.parametrize("method", ["edge_gradient", "edge_occlusion", "integrated_gradients"])
def test_an_edge_gets_its_weights_where_the_output_is_a_weighted_sum_of_edges(method: str) -> None:
    x, module = plant(HOUSE).x, WeightedEdges()
    table = edges_of(attribute(wrap(module), x, method, baseline=torch.zeros(SCHEMA.shape)))
    truth = module.of_edges.numpy()[table["node"], table["other"]]
    assert len(table) == int(x[..., WIDTH:].sum()) // 2
    assert table["attribution"].to_numpy() == pytest.approx(truth, abs=1e-5)


@pytest.mark.parametrize("method", ["edge_gradient", "edge_occlusion"])
def test_an_edge_of_a_triangle_gets_the_triangle(method: str) -> None:
    """``trace(A^3) / 6`` is linear in each edge, so that slope and effect are one: 4 for each triangle that it is in."""
    sizes, truth = sizes_and_truth(explained(method, "triangle"), case("triangle")[0])
    assert sizes == pytest.approx(4.0 * truth, abs=1e-5)


@pytest.mark.parametrize("motif", MOTIFS)
@pytest.mark.parametrize("method", EDGES)
def test_the_edges_that_were_planted_are_found(method: str, motif: str) -> None:
    sizes, truth = sizes_and_truth(explained(method, motif), case(motif)[0])
    assert roc_auc_score(truth, sizes) >= 0.99


def test_numbers_at_random_find_nothing() -> None:
    sizes, truth = sizes_and_truth(explained("edge_occlusion", "house"), case("house")[0])
    random = np.random.default_rng(0).random((100, len(sizes)))
    assert np.mean([roc_auc_score(truth, scores) for scores in random]) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("method", EDGES)
def test_both_entries_of_an_edge_are_alike_and_all_else_is_nothing(method: str) -> None:
    explanation = explained(method, "house")
    nodes, entries = explanation.modality.parts(explanation.attributions)  # type: ignore[attr-defined]
    there = edges_there(explanation.modality, explanation.inputs)  # type: ignore[arg-type]
    assert (nodes == 0).all()
    assert torch.equal(entries, entries.mT)
    assert (entries[~(there | there.mT)] == 0).all()
    # A node gets half of each of its edges, and all nodes what the edges have.
    assert explanation.by_feature().sum(1).numpy() == pytest.approx(edges_of(explanation).groupby("row")["attribution"].sum(), abs=1e-9)


def test_edge_occlusion_is_what_prediction_says() -> None:
    hidden, classifier = case("house")
    table = edges_of(explained("edge_occlusion", "house"))
    for line in table.sample(5, random_state=0).itertuples():
        rest = hidden.x[[line.row]].clone()
        rest[0, line.node, WIDTH + line.other] = rest[0, line.other, WIDTH + line.node] = 0
        change = classifier.logits(hidden.x[[line.row]]) - classifier.logits(rest)
        assert line.attribution == pytest.approx(float(change[0, 1] - change[0, 0]), abs=1e-5)


def test_edge_occlusion_needs_no_gradients() -> None:
    hidden, classifier = case("house")
    box = Classifier.wrap(classifier.probabilities, schema=SCHEMA, classes=classifier.classes)
    assert torch.allclose(
        attribute(box, hidden.x, "edge_occlusion").attributions, explained("edge_occlusion", "house").attributions, atol=1e-4
    )


def test_edge_masks_keep_the_class_and_their_rest_does_not() -> None:
    hidden, classifier = case("house")
    explanation = explained("edge_mask", "house")
    entries = 2 * explanation.attributions[..., WIDTH:].float()
    kept, rest = hidden.x.clone(), hidden.x.clone()
    kept[..., WIDTH:] *= entries > 0.5
    rest[..., WIDTH:] *= entries <= 0.5
    assert (classifier.predict(kept) == 1).all()
    assert (classifier.predict(rest) == 0).all()


def test_an_edge_that_the_output_never_feels_has_weight_0() -> None:
    sizes, truth = sizes_and_truth(explained("edge_mask", "triangle"), case("triangle")[0])
    assert (sizes[~truth] == 0).all()
    assert (sizes[truth] > 0.9).all()


def test_the_spread_over_starts_shows_where_edges_can_stand_in_for_each_other() -> None:
    """One of two triangles suffices: which one a mask keeps is chance, and the standard errors say so."""
    pair = (*TRIANGLE, (2, 3), (3, 4), (4, 5), (3, 5))
    twice = plant(pair, rows=3)

    class AnyTriangle(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 8 * torch.tanh((Triangles()(x) + 2) / 4) - 4

    sure, unsure = case("triangle"), (twice, wrap(AnyTriangle()))
    errors = []
    for hidden, classifier in (sure, unsure):
        explanation = attribute(classifier, hidden.x, "edge_mask", size=0.3, starts=4)
        errors.append(edges_of(explanation)["standard_error"].max())
        assert explanation.element_error is not None
        assert 2 * explanation.element_error.max() == pytest.approx(errors[-1])
        assert f"{errors[-1]:.2g}" in explanation.notes[0]
    assert errors[1] > 5 * errors[0]


def test_a_graph_alone_gets_the_mask_that_it_gets_among_others() -> None:
    hidden, classifier = case("house")
    alone = attribute(classifier, hidden.x[3:4], "edge_mask").attributions
    assert torch.allclose(alone, explained("edge_mask", "house").attributions[3:4], atol=1e-4)


@pytest.mark.parametrize("method", EDGES)
def test_a_graph_without_edges_is_refused_by_its_row(method: str) -> None:
    classifier = wrap(Triangles())
    with pytest.raises(NotApplicableError, match=r"1 of 2 graphs have no edges to explain: row 1") as refusal:
        attribute(classifier, bare(), method)
    (named, *_) = [name for name in ("exact_shapley", "kernel_shap") if name in refusal.value.remedy]
    assert attribute(wrap(WeightedEdges()), bare(), named, **({"samples": 64} if named == "kernel_shap" else {})).method == named


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"starts": 1}, "starts must be at least 2"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be greater than 0"),
        ({"size": -1.0}, "size must be at least 0"),
        ({"entropy": float("nan")}, "entropy of edge_mask must be finite"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, float], message: str) -> None:
    hidden, classifier = case("house")
    with pytest.raises(ConfigurationError, match=message):
        attribute(classifier, hidden.x, "edge_mask", **options)


def test_the_errors_of_edges_are_kept_with_the_explanation(tmp_path: Path) -> None:
    explanation = explained("edge_mask", "house")
    explanation.save(tmp_path / "mask.safetensors")
    again = Explanation.load(tmp_path / "mask.safetensors")
    assert edges_of(again)["standard_error"].equals(edges_of(explanation)["standard_error"])
    rows = edges_of(explanation)["row"] == 2
    assert edges_of(explanation[2])["standard_error"].tolist() == edges_of(explanation)["standard_error"][rows].tolist()
    assert edges_of(explained("edge_occlusion", "house"))["standard_error"].isna().all()


def test_edges_are_told_by_their_nodes() -> None:
    x = bare()[:1]
    table = edges_of(attribute(wrap(WeightedEdges()), x, "edge_occlusion"))
    assert table[["row", "node", "other", "edge"]].values.tolist() == [[0, 0, 1, "charge 0.1, kind C – charge 0.2, kind N"]]
