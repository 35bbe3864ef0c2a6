"""Attacks and membership where the truth is known, and the rows that they give back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from torch import nn

from audit import Subject
from audit.privacy import infer_members
from audit.robustness import attack
from audit.robustness.attacks.apgd import APGD
from audit.robustness.known_answers import linear_robust
from classifier import Classifier, Feature, Relation, Schema
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.modality import modality_of
from classifier.perturbation import PerturbationSet
from trainer import Recipe, train


def linear(classes: int, width: int, seed: int) -> tuple[Classifier, nn.Linear, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(width, classes)
    layer.weight.data = torch.randn(classes, width, generator=generator)
    layer.bias.data = torch.randn(classes, generator=generator) * 0.1
    features = tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(width))
    classifier = Classifier.wrap(layer, schema=Schema("tabular", features), classes=[f"c{i}" for i in range(classes)])
    x = torch.rand(150, width, generator=generator)
    y = torch.where(torch.rand(150, generator=generator) < 0.8, classifier.predict(x), torch.zeros(150, dtype=torch.int64))
    return classifier, layer, x, y


@pytest.mark.parametrize(("classes", "eps"), [(2, 0.15), (3, 0.15), (10, 0.05)])
@pytest.mark.parametrize("seed", range(3))
def test_a_linear_classifiers_exact_robustness_is_met_row_by_row(classes: int, eps: float, seed: int) -> None:
    classifier, layer, x, y = linear(classes, 8, seed)
    exact = linear_robust(layer.weight.data, layer.bias.data, x, y, eps)
    found = attack(classifier, x, y, eps=eps)
    assert torch.equal(found.robust, exact)
    assert 0 < exact.float().mean() < 1


@pytest.mark.parametrize("norm", ["L2", "L1"])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_without_a_box_a_linear_classifiers_exact_robustness_is_met_in_other_norms_too(classes: int, norm: str) -> None:
    generator = torch.Generator().manual_seed(classes)
    layer = nn.Linear(8, classes)
    layer.weight.data = torch.randn(classes, 8, generator=generator)
    layer.bias.data = torch.randn(classes, generator=generator) * 0.1
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", scale=2.0) for i in range(8)), encoding="natural")
    classifier = Classifier.wrap(layer, schema=schema, classes=[f"c{i}" for i in range(classes)])
    x = torch.randn(100, 8, generator=generator)
    y = classifier.predict(x)
    logits, weight = classifier.logits(x).detach(), layer.weight.data
    dual = torch.linalg.vector_norm(weight[y][:, None] - weight, ord={"L2": 2.0, "L1": torch.inf}[norm], dim=2)
    least = ((logits.gather(1, y[:, None]) - logits) / dual).scatter(1, y[:, None], torch.inf).amin(1) / 2
    eps = least.median().item() * 1.001
    found = attack(classifier, x, y, eps=eps, norm=norm, constrained=False)  # type: ignore[arg-type]
    assert torch.equal(found.robust, least > eps)
    assert ((found.distance > 0) == ~found.robust).all()
    assert found.distance.max() <= eps * (1 + 1e-5)


def test_robust_accuracy_is_clean_accuracy_at_zero_and_falls_with_eps() -> None:
    classifier, _, x, y = linear(3, 8, 0)
    accuracies = [attack(classifier, x, y, eps=eps, suite="quick").robust_accuracy.value or 0.0 for eps in (0.0, 0.05, 0.1, 0.3, 1.0)]
    clean = (classifier.predict(x) == y).float().mean().item()
    assert accuracies[0] == pytest.approx(clean)
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[-1] == 0


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize("constrained", [True, False])
def test_adversarial_rows_of_a_table_are_wrong_within_reach_and_valid(credit_subject: Subject, norm: str, constrained: bool) -> None:
    classifier, test = credit_subject.model, credit_subject.test
    result = attack(classifier, test.inputs, test.labels, eps=0.3, norm=norm, constrained=constrained, suite="quick")  # type: ignore[arg-type]
    right = classifier.predict(test.inputs) == test.labels
    fallen = right & ~result.robust
    assert fallen.any()
    rows = result.adversarial[fallen]
    assert (classifier.predict(rows) != test.labels[fallen]).all()
    allowed = PerturbationSet.around(test.inputs[fallen], classifier.schema, eps=0.3, norm=norm, constrained=constrained)  # type: ignore[arg-type]
    assert (allowed.distance(rows) <= 0.3 + 1e-5).all()
    assert ((rows >= allowed.lower) & (rows <= allowed.upper)).all()
    assert torch.equal(result.adversarial[~fallen], test.inputs[~fallen])
    if constrained:
        assert modality_of(classifier.schema).valid(rows).all()


def test_immutable_features_directions_and_relations_hold_in_every_adversarial_row() -> None:
    features = (
        Feature("installment", "integer", low=0, high=100),
        Feature("income", "integer", low=0, high=100, direction="increase"),
        Feature("age", "integer", low=18, high=80, mutable=False),
    )
    schema = Schema("tabular", features, (Relation({"installment": 1, "income": -1}, "<=", 0),))
    layer = nn.Linear(3, 2)
    layer.weight.data, layer.bias.data = torch.tensor([[0.0, 0.0, 0.0], [3.0, -3.0, 2.0]]), torch.tensor([0.0, 0.2])
    classifier = Classifier.wrap(layer, schema=schema, classes=("good", "bad"))
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(200, 3, generator=generator)
    x[:, 0] *= x[:, 1]
    x = modality_of(schema).repair(x, torch.zeros_like(x))
    y = classifier.predict(x)
    result = attack(classifier, x, y, eps=0.4, suite="quick")
    fallen = ~result.robust
    assert fallen.any()
    before, after = schema.decode(x[fallen]), schema.decode(result.adversarial[fallen])
    assert (after["installment"] <= after["income"]).all()
    assert (after["income"] >= before["income"]).all()
    assert (after["age"] == before["age"]).all()


def test_another_threshold_attacks_the_decision_that_it_makes() -> None:
    classifier, _, x, _ = linear(2, 6, 0)
    decided = (classifier.probabilities(x)[:, 1] >= 0.7).long()
    result = attack(classifier, x, decided, eps=0.3, threshold=0.7, suite="quick")
    assert result.clean_accuracy.value == 1
    fallen = ~result.robust
    assert fallen.any()
    assert ((classifier.probabilities(result.adversarial[fallen])[:, 1] >= 0.7).long() != decided[fallen]).all()


def test_a_batch_of_one_equals_a_batch_of_many() -> None:
    classifier, _, x, y = linear(3, 6, 2)
    whole = attack(classifier, x[:20], y[:20], eps=0.1, suite="quick").robust
    single = torch.cat([attack(classifier, x[i : i + 1], y[i : i + 1], eps=0.1, suite="quick").robust for i in range(20)])
    assert torch.equal(whole, single)


def test_what_cannot_be_attacked_is_refused() -> None:
    classifier, _, x, y = linear(2, 4, 0)
    box = Classifier.wrap(lambda rows: classifier.probabilities(rows), schema=classifier.schema, classes=classifier.classes)
    with pytest.raises(NotApplicableError, match="black box, and apgd needs gradients"):
        attack(box, x, y, eps=0.1, suite=[APGD()])
    with pytest.raises(DataError, match="labels must lie in 0 to 1, got 0 to 5"):
        attack(classifier, x[:2], torch.tensor([0, 5]), eps=0.1)
    with pytest.raises(DataError, match="a label for each, got 0 rows"):
        attack(classifier, x[:0], y[:0], eps=0.1)
    with pytest.raises(ConfigurationError, match="eps must be at least 0"):
        attack(classifier, x, y, eps=-0.1)
    with pytest.raises(DataError, match="inputs must be finite, got 600 values"):
        attack(classifier, x * torch.nan, y, eps=0.1)


@given(st.integers(40, 300), st.integers(40, 300), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_members_found_are_those_below_a_threshold_that_accuses_no_more_than_allowed(members: int, others: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    inside, outside = generator.exponential(0.7, members), generator.exponential(1.0, others)
    rate = 0.25
    found = infer_members(inside, outside, rates=(rate,)).tpr_at[rate]
    threshold = np.sort(outside)[int(rate * others)]
    assert (outside < threshold).mean() <= rate
    count = int((inside < threshold).sum())
    interval = binomtest(count, members).proportion_ci(method="exact")
    assert (found.value, found.low, found.high) == pytest.approx((count / members, interval.low, interval.high), abs=1e-9)


def test_a_rate_that_too_few_rows_can_show_is_not_measured() -> None:
    metric = infer_members(np.ones(100), np.ones(100), rates=(0.01,)).tpr_at[0.01]
    assert metric.value is None
    assert metric.reason == "a false positive rate of 0.01 needs 1000 rows that were not learned from, there are 100"


def test_a_memoriser_is_given_away_and_an_untrained_classifier_is_not() -> None:
    from dataclasses import replace

    from classifier import Dataset

    moons = Dataset.builtin("moons")
    generator = torch.Generator().manual_seed(0)
    high = torch.rand(len(moons), 200, generator=generator)
    features = tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(200))
    labels = torch.randint(0, 2, (len(moons),), generator=generator)
    rows = replace(moons, inputs=high, labels=labels, schema=Schema("tabular", features))
    splits = rows.split(test=0.4, validation=0.1)

    def losses(classifier: Classifier, part: Dataset) -> np.ndarray:  # type: ignore[type-arg]
        return -np.log(classifier.probabilities(part.inputs).double().numpy()[np.arange(len(part)), part.labels.numpy()].clip(1e-12))

    def auc(recipe: Recipe) -> float:
        classifier = train(splits, recipe, progress=False)
        return infer_members(losses(classifier, splits.train), losses(classifier, splits.test)).auc.value or 0.0

    # Half of the others are right by luck, and confidently so: a threshold on the loss cannot tell them all.
    assert auc(Recipe("mlp", hidden=(128,), epochs=150, learning_rate=0.01, patience=None)) > 0.85
    untrained = auc(Recipe("mlp", hidden=(128,), epochs=1, learning_rate=1e-9))
    n, m = len(splits.train), len(splits.test)
    assert abs(untrained - 0.5) < 3 * np.sqrt((n + m + 1) / (12 * n * m))
