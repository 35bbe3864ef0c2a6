"""Training: the same recipe and data give the same weights, and the test part is never touched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from classifier import Classifier, Dataset, Splits
from classifier.errors import ConfigurationError, ModelError
from trainer import Epoch, Recipe, cross_predict, train

QUICK = Recipe("mlp", hidden=(8,), epochs=4)


@pytest.fixture(scope="module")
def splits(german_credit: Dataset) -> Splits:
    return german_credit.split(seed=0)


def margin(classifier: Classifier, x: torch.Tensor) -> torch.Tensor:
    logits = classifier.logits(x)
    return logits[:, 1] - logits[:, 0]


def test_the_same_recipe_and_data_give_the_same_weights_and_another_seed_gives_others(splits: Splits) -> None:
    first, again, other = (train(splits, recipe, progress=False) for recipe in (QUICK, QUICK, replace(QUICK, seed=1)))
    assert first.digest == again.digest != other.digest


def test_the_test_part_is_never_touched(splits: Splits) -> None:
    poisoned = replace(splits, test=replace(splits.test, inputs=torch.full_like(splits.test.inputs, torch.nan)))
    assert train(poisoned, QUICK, progress=False).digest == train(splits, QUICK, progress=False).digest


def test_the_global_generator_is_left_as_it_was(splits: Splits) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    train(splits, QUICK, progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_early_stopping_keeps_the_weights_of_the_lowest_validation_loss(splits: Splits) -> None:
    seen: list[Epoch] = []
    classifier = train(splits, replace(QUICK, epochs=60, learning_rate=0.05, patience=3), progress=seen.append)
    losses = [epoch.validation_loss for epoch in seen]
    record = classifier.card["training"]
    assert record["loss"]["validation"] == losses
    assert record["best_epoch"] == int(np.argmin(losses)) + 1 == len(losses) - 3
    weights = torch.tensor(record["class_weights"])
    kept = torch.nn.functional.cross_entropy(classifier.logits(splits.validation.inputs), splits.validation.labels, weight=weights)
    assert kept.item() == pytest.approx(min(losses), abs=1e-6)


def test_a_snapshot_is_the_classifier_of_its_epoch_and_disturbs_nothing(splits: Splits) -> None:
    recipe = replace(QUICK, epochs=3, learning_rate=0.05, patience=None)
    kept: list[Classifier] = []
    last = train(splits, recipe, progress=lambda epoch: kept.append(epoch.snapshot()))
    assert [classifier.card["training"]["best_epoch"] for classifier in kept] == [1, 2, 3]
    assert kept[0].digest == train(splits, replace(recipe, epochs=1), progress=False).digest
    assert len({classifier.digest for classifier in kept}) == 3
    assert kept[2].digest == last.digest == train(splits, recipe, progress=False).digest
    assert kept[0].card["training"]["recipe"] == last.card["training"]["recipe"]


def test_without_patience_all_epochs_are_trained_and_the_last_is_kept(splits: Splits) -> None:
    record = train(splits, replace(QUICK, epochs=30, learning_rate=0.05, patience=None), progress=False).card["training"]
    assert len(record["loss"]["train"]) == record["best_epoch"] == 30


def test_balanced_weights_are_inverse_frequencies(splits: Splits) -> None:
    weights = train(splits, replace(QUICK, epochs=1), progress=False).card["training"]["class_weights"]
    counts = np.bincount(splits.train.labels)
    assert weights == pytest.approx(len(splits.train) / 2 / counts)
    assert train(splits, replace(QUICK, epochs=1, class_weights="none"), progress=False).card["training"]["class_weights"] is None


def test_a_loss_that_is_no_number_stops_with_a_rate_to_try(splits: Splits) -> None:
    broken = replace(splits, train=replace(splits.train, inputs=splits.train.inputs * torch.inf))
    with pytest.raises(ModelError, match=r"learning_rate 0\.001; try learning_rate = 0\.0001"):
        train(broken, QUICK, progress=False)


def test_a_validation_loss_that_is_no_number_stops_too_and_is_not_kept(splits: Splits) -> None:
    broken = replace(splits, validation=replace(splits.validation, inputs=splits.validation.inputs * torch.inf))
    for patience in (None, 3):
        with pytest.raises(ModelError, match="the loss is nan in epoch 1"):
            train(broken, replace(QUICK, patience=patience), progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": float("inf")}, "above 0 and finite, got inf"),
        ({"learning_rate": float("nan")}, "above 0 and finite, got nan"),
        ({"weight_decay": float("inf")}, "at least 0 and finite, got inf"),
        ({"class_weights": "some"}, "class_weights must be"),
        ({"architecture": "mpl"}, "did you mean 'mlp'"),
        ({"architecture": "logistic", "hidden": (3,)}, "'logistic' has no option 'hidden'"),
        ({"hidden": (0,)}, "hidden must hold widths"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Recipe(**{"architecture": "mlp", **options})  # type: ignore[arg-type]


def test_logistic_ranks_as_scikit_learns_does(splits: Splits) -> None:
    ours = train(splits, Recipe("logistic", epochs=60), progress=False)
    theirs = LogisticRegression(max_iter=2000, class_weight="balanced").fit(splits.train.inputs, splits.train.labels)
    reference = roc_auc_score(splits.test.labels, theirs.predict_proba(splits.test.inputs)[:, 1])
    assert roc_auc_score(splits.test.labels, margin(ours, splits.test.inputs)) > reference - 0.02


@pytest.mark.slow
def test_mlp_ranks_as_well_as_logistic_regression_over_five_splits(german_credit: Dataset) -> None:
    ours, theirs = [], []
    for seed in range(5):
        part = german_credit.split(seed=seed)
        classifier = train(part, Recipe("mlp", hidden=(32,), dropout=0.3, epochs=60, seed=seed), progress=False)
        ours.append(roc_auc_score(part.test.labels, margin(classifier, part.test.inputs)))
        reference = LogisticRegression(max_iter=2000).fit(part.train.inputs, part.train.labels)
        theirs.append(roc_auc_score(part.test.labels, reference.predict_proba(part.test.inputs)[:, 1]))
    assert np.mean(ours) > np.mean(theirs) - 0.015


def test_cross_fitted_predictions_come_from_classifiers_that_never_saw_the_row() -> None:
    generator = torch.Generator().manual_seed(0)
    moons = Dataset.builtin("moons")
    rows = replace(moons, labels=torch.randint(0, 2, (len(moons),), generator=generator))
    memoriser = Recipe("mlp", hidden=(128,), epochs=60, learning_rate=0.02, patience=None)
    right = (cross_predict(rows, memoriser).argmax(1) == rows.labels).float().mean().item()
    assert abs(right - 0.5) < 3 * 0.5 / len(rows) ** 0.5
