"""Laws that every registered attribution method must keep on every kind of input that it is for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from cases import CASES, cases

from classifier import Classifier, Splits
from explain import Explanation, attribute, available
from explain.method import METHODS
from trainer import Recipe, train

# Small networks, one with attention and one without for the modalities that have both.
NETWORKS = {
    "tabular": Recipe("mlp", hidden=(8,)),
    "tabular attention": Recipe("attention_table", options={"width": 8, "layers": 2, "heads": 2}),
    "image": Recipe("cnn", hidden=(8,), options={"channels": (4,)}),
    "text": Recipe("transformer_text", options={"width": 8, "buckets": 64}),
    "sequence": Recipe("temporal_cnn", hidden=(4,)),
    "sequence attention": Recipe("attention_recurrent", hidden=(4,)),
    "graph": Recipe("graph_attention", hidden=(8,)),
}


@cache
def classifier(network: str) -> Classifier:
    data = cases(network.split()[0], 2)
    return train(Splits(data, data, data), replace(NETWORKS[network], epochs=2), progress=False)


@cache
def explained(method: str, network: str) -> Explanation:
    return attribute(classifier(network), cases(network.split()[0], 2).inputs[:4], method, seed=3)


def applies(network: str) -> set[str]:
    return {entry.method for entry in available(classifier(network), rows=4) if entry.applies}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS.ids())
def test_a_method_explains_every_kind_of_input_or_says_why_not(method: str, network: str) -> None:
    if method not in applies(network):
        (entry,) = [entry for entry in available(classifier(network), rows=4) if entry.method == method]
        assert entry.reason
        return
    x = cases(network.split()[0], 2).inputs[:4]
    explanation = explained(method, network)
    assert explanation.attributions.shape == x.shape
    assert explanation.attributions.isfinite().all()
    assert explanation.attributions.abs().max() > 0
    again = attribute(classifier(network), x, method, seed=3)
    assert torch.equal(again.attributions, explanation.attributions)
    alone = torch.cat([attribute(classifier(network), row[None], method, seed=3).attributions for row in x[:2]])
    assert torch.allclose(alone, explanation.attributions[:2], atol=1e-4 * float(explanation.attributions.abs().max()), rtol=1e-4)
    if network == "text":
        # What comes after the end of a text cannot have moved its output.
        absent = ~explanation.modality.present(x)
        assert absent.any()
        error = torch.zeros(absent.shape) if explanation.standard_error is None else explanation.standard_error
        assert (explanation.by_feature().abs() <= 5 * error + 1e-5)[absent].all()


@pytest.mark.parametrize("network", NETWORKS)
def test_every_kind_of_network_has_several_methods(network: str) -> None:
    assert len(applies(network)) >= 4
    assert set(CASES) == {name.split()[0] for name in NETWORKS}
