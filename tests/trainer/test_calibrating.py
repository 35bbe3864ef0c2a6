"""Calibrations that are fitted: likelier labels, undone class weights, and the steps of isotonic regression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.isotonic import IsotonicRegression
from torch import nn
from torch.nn.functional import cross_entropy

from classifier import Classifier, Dataset, Feature, Schema, Splits
from classifier.calibration import Kind
from classifier.errors import ConfigurationError
from classifier.seeds import Seed
from trainer import Recipe, train
from trainer.calibrating import fit_calibration

KINDS: tuple[Kind, ...] = ("temperature", "bias_corrected", "isotonic")
SCHEMA = Schema(
    "tabular", (Feature("a", "continuous", low=-10.0, high=10.0), Feature("b", "continuous", low=-10.0, high=10.0)), encoding="natural"
)


def drawn(classifier: Classifier, dataset: Dataset, rows: int = 4000) -> tuple[Classifier, Dataset]:
    """Rows whose labels were drawn by the classifier's own probabilities."""
    generator = Seed(0, ("drawn",)).torch()
    x = 2 * torch.randn(rows, 2, generator=generator)
    labels = torch.multinomial(classifier.probabilities(x), 1, generator=generator)[:, 0]
    return classifier, replace(dataset[np.zeros(rows, dtype=np.int64)], inputs=x, labels=labels, ids=np.arange(rows))


@pytest.fixture(scope="module")
def truth() -> tuple[Classifier, Dataset]:
    moons = replace(Dataset.builtin("moons"), schema=SCHEMA)
    layer = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2))
    return drawn(Classifier.wrap(layer, schema=SCHEMA, classes=moons.classes), moons)


def changed(classifier: Classifier, scale: float, bias: tuple[float, ...]) -> Classifier:
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(scale * torch.eye(2))
        layer.bias.copy_(torch.tensor(bias))
    return Classifier.wrap(layer, schema=classifier.schema, classes=classifier.classes)


def log_loss(classifier: Classifier, dataset: Dataset) -> float:
    return cross_entropy(classifier.logits(dataset.inputs), dataset.labels).item()


@pytest.mark.parametrize("scale", [1e-4, 1e5])
def test_a_temperature_is_found_whatever_the_scale_of_the_logits(truth: tuple[Classifier, Dataset], scale: float) -> None:
    classifier, rows = truth
    plain, scaled = (fit_calibration(changed(classifier, factor, (0.0, 0.0)), rows, "temperature") for factor in (1.0, scale))
    assert scaled.temperature == pytest.approx(scale * plain.temperature, rel=1e-3)


def test_logits_that_are_three_times_too_large_get_the_temperature_three(truth: tuple[Classifier, Dataset]) -> None:
    classifier, rows = truth
    assert fit_calibration(changed(classifier, 3.0, (0.0, 0.0)), rows, "temperature").temperature == pytest.approx(3.0, rel=0.15)


def test_a_bias_of_weighted_classes_is_taken_back(truth: tuple[Classifier, Dataset]) -> None:
    classifier, rows = truth
    calibration = fit_calibration(changed(classifier, 0.5, (0.0, 1.2)), rows, "bias_corrected")
    # log-odds = scale * (b - a) + 1.2 before, and (b - a) is the truth.
    assert calibration.temperature == pytest.approx(0.5, rel=0.15)
    assert calibration.bias[1] - calibration.bias[0] == pytest.approx(-1.2 / 0.5, abs=0.35)


@pytest.mark.parametrize("kind", KINDS)
def test_the_labels_become_likelier_and_of_a_biased_fit_as_frequent_as_they_are(kind: Kind, truth: tuple[Classifier, Dataset]) -> None:
    classifier, rows = truth
    wrong = changed(classifier, 2.0, (0.0, 1.5))
    calibrated = wrong.calibrated(fit_calibration(wrong, rows, kind))
    assert log_loss(calibrated, rows) < log_loss(wrong, rows) - 0.005
    if kind != "temperature":
        assert calibrated.probabilities(rows.inputs)[:, 1].mean().item() == pytest.approx(rows.labels.float().mean().item(), abs=0.02)
        assert log_loss(calibrated, rows) < log_loss(classifier, rows) + 0.01


def test_an_isotonic_calibration_has_one_corner_for_each_step_of_isotonic_regression(truth: tuple[Classifier, Dataset]) -> None:
    classifier, rows = truth
    part = rows[np.arange(300)]
    calibration = fit_calibration(classifier, part, "isotonic")
    z = classifier.logits(part.inputs).double().numpy()
    x = np.concatenate([z[:, 1] - z[:, 0], [(z[:, 1] - z[:, 0]).min(), (z[:, 1] - z[:, 0]).max()]])
    steps = IsotonicRegression().fit_transform(x, np.concatenate([part.labels.numpy(), [1, 0]]))
    before, after = np.array(calibration.knots).T
    assert 1 / (1 + np.exp(-after)) == pytest.approx(np.unique(steps.round(12)))
    for corner, level in zip(before, np.unique(steps.round(12)), strict=True):
        assert corner == pytest.approx(x[np.isclose(steps, level)].mean())


def test_labels_that_the_logits_tell_without_an_error_still_give_finite_probabilities(truth: tuple[Classifier, Dataset]) -> None:
    classifier, rows = truth
    sure = replace(rows, labels=classifier.predict(rows.inputs))
    for kind in KINDS:
        probabilities = classifier.calibrated(fit_calibration(classifier, sure, kind)).probabilities(rows.inputs)
        assert probabilities.isfinite().all()
        assert probabilities.min() >= 0


def test_isotonic_calibration_is_refused_for_three_classes() -> None:
    schema, rows = SCHEMA, replace(Dataset.builtin("moons"), schema=SCHEMA)
    three = Classifier.wrap(nn.Linear(2, 3), schema=schema, classes=("a", "b", "c"))
    with pytest.raises(ConfigurationError, match='for two classes, there are 3; take "temperature"'):
        fit_calibration(three, rows, "isotonic")


def test_training_with_balanced_classes_is_calibrated_on_german_credit(german_credit: Dataset) -> None:
    splits: Splits = german_credit.split(seed=0)
    recipe = Recipe("logistic", epochs=30, learning_rate=0.01, class_weights="balanced")
    plain = train(splits, recipe, progress=False)
    calibrated = train(splits, replace(recipe, calibration="bias_corrected"), progress=False)
    # The weights are the same; the gap between promised and observed events shrinks.
    assert plain.module is not None
    assert calibrated.module is not None
    assert all(torch.equal(a, b) for a, b in zip(plain.module.parameters(), calibrated.module.parameters(), strict=True))
    rate = (splits.test.labels == 1).float().mean()
    gaps = [abs(c.probabilities(splits.test.inputs)[:, 1].mean() - rate).item() for c in (plain, calibrated)]
    assert gaps[1] < gaps[0] - 0.03
    assert torch.equal(order(plain, splits), order(calibrated, splits))
    assert calibrated.description.calibration == fit_calibration(plain, splits.validation, "bias_corrected")


def order(classifier: Classifier, splits: Splits) -> torch.Tensor:
    z = classifier.logits(splits.test.inputs).double()
    return (z[:, 1] - z[:, 0]).round(decimals=4).argsort(stable=True)
