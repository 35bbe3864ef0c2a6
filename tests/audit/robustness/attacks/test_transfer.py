"""Transfer: what fools a surrogate is tried on the classifier, which is never differentiated."""

from __future__ import annotations

from math import inf

import pytest
import torch
from torch import Tensor, nn

from audit import Subject
from audit.check import make_check
from audit.robustness import attack
from audit.robustness.attacks.transfer import Transfer
from audit.robustness.attempt import Attempt
from audit.robustness.known_answers import linear_robust
from classifier import Classifier, Feature, Schema
from classifier.errors import ConfigurationError
from classifier.perturbation import PerturbationSet
from classifier.seeds import Seed


def linear(schema: Schema, weight: Tensor, bias: Tensor) -> Classifier:
    layer = nn.Linear(weight.shape[1], len(weight))
    layer.weight.data, layer.bias.data = weight, bias
    return Classifier.wrap(layer, schema=schema, classes=[f"c{index}" for index in range(len(weight))])


def case(scale: float = 1.0) -> tuple[Classifier, Tensor, Tensor, Tensor, Tensor]:
    """A linear classifier of features from 0 to `scale`, rows, and what is decided of them."""
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(3, 8, generator=generator) / scale, torch.rand(150, 8, generator=generator) * scale
    bias = -(x @ weight.T).mean(0)
    features = tuple(Feature(f"x{index}", "continuous", low=0.0, high=scale) for index in range(8))
    classifier = linear(Schema("tabular", features, encoding="natural"), weight, bias)
    return classifier, weight, bias, x, classifier.predict(x)


def attempted(classifier: Classifier, x: Tensor, y: Tensor, eps: float) -> Attempt:
    allowed = PerturbationSet.around(x, classifier.schema, eps=eps, norm="Linf", constrained=False)
    return Attempt(classifier.logits, allowed, y, torch.arange(len(x)))


@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_with_the_classifier_itself_as_surrogate_it_breaks_nearly_all_weak_rows_in_any_units(scale: float) -> None:
    classifier, weight, bias, x, y = case(scale)
    attempt = attempted(classifier, x, y, 0.15)
    Transfer(surrogate=classifier)(attempt, Seed(0))
    robust = linear_robust(weight * scale, bias, x / scale, y, 0.15)
    assert not (attempt.broken & robust).any()
    assert (~attempt.broken & ~robust).sum() <= 0.05 * (~robust).sum()
    changed = attempt.adversarial[attempt.broken]
    assert changed.min() >= 0
    assert changed.max() <= scale
    assert (changed - x[attempt.broken]).abs().max() <= scale * 0.15 * (1 + 1e-4)
    assert torch.all(classifier.predict(changed) != y[attempt.broken])


def test_a_surrogate_that_knows_nothing_fools_fewer_rows_and_the_classifier_is_asked_a_few_times_only() -> None:
    classifier, weight, bias, x, y = case()
    alike, other = attempted(classifier, x, y, 0.1), attempted(classifier, x, y, 0.1)
    Transfer(surrogate=classifier, asks=3, restarts=1)(alike, Seed(0))
    stranger = linear(classifier.schema, weight.flip(1), bias)
    Transfer(surrogate=stranger, asks=3, restarts=1)(other, Seed(0))
    assert other.broken.sum() < alike.broken.sum() / 2
    assert int(other.queries.max()) <= 4
    assert int(other.gradients.sum()) == 0


def test_without_a_surrogate_one_is_trained_on_answers_and_alone_it_is_refused() -> None:
    classifier, _, _, x, y = case()
    result = attack(classifier, x, y, eps=0.15, suite=[Transfer(queries=200, steps=8)], constrained=False)
    assert result.robust.float().mean() < 0.7
    assert int(result.gradients.sum()) == 0
    with pytest.raises(ConfigurationError, match="transfer needs a surrogate"):
        Transfer()(attempted(classifier, x, y, 0.15), Seed(0))


def test_an_unbounded_search_and_a_surrogate_without_gradients_are_refused() -> None:
    classifier, _, _, x, y = case()
    with pytest.raises(ConfigurationError, match="infinite"):
        Transfer(surrogate=classifier)(attempted(classifier, x, y, inf), Seed(0))
    black_box = Classifier.wrap(classifier.probabilities, schema=classifier.schema, classes=classifier.classes)
    with pytest.raises(ConfigurationError, match="a surrogate needs gradients"):
        Transfer(surrogate=black_box)
    with pytest.raises(ConfigurationError, match="at most the steps"):
        Transfer(steps=2, asks=3)


def test_the_check_gives_fidelity_at_each_number_and_accuracy_at_most_that_of_the_rows(credit_subject: Subject) -> None:
    options = {"queries": [10, 150], "limit": 120, "eps": 0.2}
    evidence = make_check("robustness.transfer", options).measure(credit_subject, Seed(0, ("robustness.transfer",)))
    few, many = (evidence.metric("robustness.surrogate_fidelity", queries=number) for number in (10, 150))
    assert few.n == many.n == 60
    assert (few.value or 0) <= (many.value or 0)
    accuracy = evidence.metric("robustness.transfer_accuracy")
    ids = evidence.arrays["ids"]
    rows = torch.tensor([list(credit_subject.test.ids).index(i) for i in ids])
    right = credit_subject.model.predict(credit_subject.test.inputs[rows]) == credit_subject.test.labels[rows]
    assert accuracy.bound == "upper"
    assert (accuracy.value or 0) < right.float().mean()


def test_the_check_asks_a_black_box_the_same_and_finds_the_same(credit_subject: Subject) -> None:
    model = credit_subject.model
    options = {"queries": [60], "limit": 60}
    hidden = Subject(credit_subject.test, classifier=Classifier.wrap(model.probabilities, schema=model.schema, classes=model.classes))
    seen, unseen = (make_check("robustness.transfer", options).measure(s, Seed(0)) for s in (credit_subject, hidden))
    assert [metric.value for metric in seen.metrics] == pytest.approx([metric.value for metric in unseen.metrics])
