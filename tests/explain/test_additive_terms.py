"""Additive terms are the Shapley values that enumeration gives, without enumerating."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from classifier.architectures._terms import AdditiveNetwork
from classifier.architectures.additive import Additive
from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from classifier.schema import Feature, Schema
from explain import attribute, available

PAIRS = (("rate", "purpose"), ("married", "months"), ("months", "rate"))


def additive(schema: Schema, classes: int) -> Classifier:
    options = Additive(pairs=PAIRS, activation="tanh")
    module = options.build(schema, classes)
    generator = torch.Generator().manual_seed(classes)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5, generator=generator)
    return Classifier.wrap(module, schema=schema, classes=[f"c{i}" for i in range(classes)], factory=options)


def rows(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, 8, generator=generator)
    x[:, 2:4] = x[:, 2:4].round()
    x[:, 4:] = torch.eye(4)[torch.randint(4, (count,), generator=generator)]
    return x


class Product(AdditiveNetwork):
    """One logit: the product of the first two numbers, and the third."""

    def contributions(self, x: Tensor) -> Tensor:
        return torch.stack([x[:, 2], x[:, 0] * x[:, 1]], 1)[..., None]


PRODUCT = Schema("tabular", tuple(Feature(name, "continuous", 0.0, 1.0) for name in "abc"))


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("background", [1, 7])
def test_additive_terms_with_pairs_are_exact_shapley_values(classes: int, background: int, mixed_schema: Schema) -> None:
    classifier, x, baseline = additive(mixed_schema, classes), rows(9, 0), rows(background, 1)
    terms, shapley = (attribute(classifier, x, method, baseline=baseline) for method in ("additive_terms", "exact_shapley"))
    assert terms.exact
    assert terms.by_feature().abs().max() > 0.1
    assert torch.allclose(terms.attributions, shapley.attributions, atol=1e-4)
    assert torch.allclose(terms.base_value, shapley.base_value, atol=1e-4)


def test_a_pair_is_not_halved_but_shared_by_what_each_adds_first_and_last() -> None:
    product = Classifier.wrap(Product([("c",), ("a", "b")], 1), schema=PRODUCT, classes=("no", "yes"))
    explanation = attribute(product, torch.tensor([[1.0, 1.0, 0.25]]), "additive_terms", baseline=torch.tensor([0.0, 0.5, 0.0]))
    # The log-odds of one logit are that logit; its change over the pair is 1.
    assert torch.allclose(explanation.by_feature(), torch.tensor([[0.75, 0.25, 0.25]], dtype=torch.float64), atol=1e-6)


def test_auto_reads_the_terms_where_there_are_any(mixed_schema: Schema) -> None:
    classifier = additive(mixed_schema, 2)
    assert attribute(classifier, rows(4, 0)).method == "additive_terms"
    assert attribute(classifier, rows(4, 0), baseline=rows(6, 1)).method == "additive_terms"


def test_a_probability_is_no_sum_of_terms(mixed_schema: Schema) -> None:
    classifier, x = additive(mixed_schema, 2), rows(4, 0)
    assert attribute(classifier, x, output="probability").method == "exact_shapley"
    with pytest.raises(NotApplicableError, match="it divides log_odds or logit, not probability; these do: exact_shapley"):
        attribute(classifier, x, "additive_terms", output="probability")
    entry = next(entry for entry in available(classifier, output="probability") if entry.method == "additive_terms")
    assert not entry.applies


def test_a_network_that_is_not_additive_is_refused(linear_classifier: Classifier) -> None:
    with pytest.raises(NotApplicableError, match="it needs an additive network, whose logits are a sum of terms"):
        attribute(linear_classifier, rows(2, 0), "additive_terms")


def test_terms_do_not_depend_on_how_the_batch_is_cut(mixed_schema: Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, x, baseline = additive(mixed_schema, 2), rows(9, 0), rows(3, 1)
    whole = attribute(classifier, x, "additive_terms", baseline=baseline).attributions
    monkeypatch.setattr("explain.attribution.additive_terms.chunk_size", lambda shape: 6)
    assert torch.allclose(attribute(classifier, x, "additive_terms", baseline=baseline).attributions, whole, atol=1e-5)
