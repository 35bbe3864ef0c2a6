"""Explanations of series and graphs: complete, and without credit for what is not there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from classifier import Classifier, Feature, Schema
from classifier.architecture import ARCHITECTURES
from classifier.modalities.graph import Graph
from explain import attribute

FLAG = Feature("(observed)", "binary", mutable=False)
CHARGE = Feature("charge", "continuous", low=0.0, high=1.0)
SERIES = Schema("sequence", (Feature("value", "continuous", low=0.0, high=1.0), FLAG), size=(6,))
GRAPHS = Schema("graph", (CHARGE, FLAG), size=(6,))
METHODS = {
    "kernel_shap": {"samples": 64}, "permutation_shap": {"permutations": 4}, "integrated_gradients": {"steps": 200},
}  # fmt: skip


def classifier(architecture: str, schema: Schema) -> Classifier:
    kind = ARCHITECTURES[architecture](hidden=(8, 8))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = kind.build(schema, 2)
        # Fresh weights answer nearly the same to everything.
        module.head.weight.data *= 20  # type: ignore[operator, union-attr]
        return Classifier.wrap(module, schema=schema, classes=("no", "yes"), factory=kind)


def series() -> torch.Tensor:
    cells = [np.array([0.1, 0.9, 0.4, 0.6, 0.2, 0.8]), np.array([0.7, 0.3, 0.5])]
    return SERIES.encode(pd.DataFrame({"series": pd.Series(cells, dtype=object)}))


def graphs() -> torch.Tensor:
    """A path of four nodes, the same from both ends, and a star."""
    path = Graph(pd.DataFrame({"charge": [0.2, 0.9, 0.9, 0.2]}), np.array([[0, 1], [1, 2], [2, 3]]))
    star = Graph(pd.DataFrame({"charge": [0.5, 0.1, 0.1, 0.1, 0.8]}), np.array([[0, 1], [0, 2], [0, 3], [0, 4]]))
    return GRAPHS.encode(pd.DataFrame({"graph": [path, star]}))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", ["temporal_cnn", "attention_recurrent", "graph_attention"])
def test_attributions_sum_to_what_changed(architecture: str, method: str) -> None:
    schema, x = (GRAPHS, graphs()) if architecture == "graph_attention" else (SERIES, series())
    baseline = None
    if schema is SERIES:
        # Of one length with the input: a recurrent network meets a step that appears on the way with a jump.
        x = x[:1]
        baseline = torch.cat([torch.full((6, 1), 0.5), torch.ones(6, 1)], dim=1)
    explanation = attribute(classifier(architecture, schema), x, method, baseline=baseline, **METHODS[method])
    gap = (explanation.value - explanation.base_value).abs()
    assert (gap > 1e-3).all()
    assert (explanation.completeness_error <= (0.05 if method == "integrated_gradients" else 1e-4) * gap + 1e-5).all()
    assert explanation.by_feature().shape == (len(x), len(explanation.modality.players))


@pytest.mark.parametrize("method", METHODS)
def test_a_node_that_is_not_there_gets_no_credit(method: str) -> None:
    empty = torch.zeros(GRAPHS.shape)
    explanation = attribute(classifier("graph_attention", GRAPHS), graphs(), method, baseline=empty, **METHODS[method])
    absent = ~explanation.modality.present(graphs())
    assert absent.sum() == 3
    assert explanation.by_feature()[absent].abs().max() <= 1e-6


@pytest.mark.parametrize("method", ["exact_shapley", "kernel_shap"])
def test_nodes_that_are_alike_get_the_same_credit(method: str) -> None:
    empty = torch.zeros(GRAPHS.shape)
    options = METHODS.get(method, {})
    values = attribute(classifier("graph_attention", GRAPHS), graphs(), method, baseline=empty, **options).by_feature()
    assert torch.allclose(values[0, [0, 1]], values[0, [3, 2]], atol=1e-5)
    assert torch.allclose(values[1, [1, 2]], values[1, [3, 3]], atol=1e-5)


def test_steps_after_the_end_get_credit_only_for_being_absent() -> None:
    """Against a baseline as short as the series, what lies beyond both changes nothing."""
    x = series()[1:]
    baseline = x[0].clone()
    baseline[:, 0] = 0.5
    values = attribute(classifier("temporal_cnn", SERIES), x, "exact_shapley", baseline=baseline).by_feature()
    assert values[0, 3:].abs().max() <= 1e-6
    assert values[0, :3].abs().max() > 1e-4
