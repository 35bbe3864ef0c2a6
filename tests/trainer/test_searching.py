"""A search tries recipes within its space, takes the best by validation loss, and never looks at the test part."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
import torch

from classifier import Dataset, Splits
from classifier.errors import ConfigurationError, ModelError
from trainer import Private, Range, Recipe, search, train

RECIPE = Recipe("mlp", hidden=(4,), epochs=5)
SPACE: dict[str, Any] = {"learning_rate": Range(1e-4, 0.1, log=True), "hidden": [(4,), (8, 4)], "batch_size": Range(32, 128)}


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Dataset.builtin("moons").split(seed=0)


def test_the_best_of_what_was_tried_is_taken_and_can_be_trained_again(splits: Splits) -> None:
    pytest.importorskip("optuna")
    found = search(splits, RECIPE, SPACE, trials=8, progress=False)
    assert len(found.trials) == 8
    losses = [trial.validation_loss for trial in found.trials if trial.validation_loss is not None]
    best = next(trial for trial in found.trials if trial.validation_loss == min(losses))
    assert {name: getattr(found.recipe, name) for name in SPACE} == best.options
    record = train(splits, found.recipe, progress=False).card["training"]
    assert record["loss"]["validation"][record["best_epoch"] - 1] == min(losses)
    for trial in found.trials:
        assert 1e-4 <= trial.options["learning_rate"] <= 0.1
        assert trial.options["hidden"] in SPACE["hidden"]
        assert trial.options["batch_size"] in range(32, 129)
        assert trial.outcome == "completed" or (trial.outcome == "pruned" and trial.epochs < RECIPE.epochs)
    frame = found.to_frame()
    assert len(frame) == 8
    assert {*SPACE, "validation_loss", "epochs", "outcome"} == set(frame.columns)


def test_the_same_seed_tries_the_same_whatever_the_test_part_holds(splits: Splits) -> None:
    pytest.importorskip("optuna")
    poisoned = replace(splits, test=replace(splits.test, inputs=torch.full_like(splits.test.inputs, torch.nan)))
    first = search(splits, RECIPE, SPACE, trials=3, seed=1, progress=False)
    assert first == search(poisoned, RECIPE, SPACE, trials=3, seed=1, progress=False)
    assert first.trials[0].options != search(splits, RECIPE, SPACE, trials=1, seed=2, progress=False).trials[0].options


def test_options_of_the_architecture_can_be_searched_and_an_unknown_one_is_named(splits: Splits) -> None:
    pytest.importorskip("optuna")
    found = search(splits, Recipe("additive", epochs=1), {"term_dropout": [0.1]}, trials=1, progress=False)
    assert found.recipe.options == {"term_dropout": 0.1}
    with pytest.raises(ConfigurationError, match="no option 'widht'"):
        search(splits, RECIPE, {"widht": [1, 2]}, trials=1, progress=False)


def test_a_failing_trial_does_not_stop_the_search_unless_all_fail(splits: Splits) -> None:
    pytest.importorskip("optuna")
    diverging = replace(RECIPE, optimizer="sgd")
    found = search(splits, diverging, {"learning_rate": [1e30, 0.01]}, trials=8, progress=False)
    assert found.recipe.learning_rate == 0.01
    assert {trial.outcome for trial in found.trials if trial.options["learning_rate"] == 1e30} == {"failed"}
    with pytest.raises(ModelError, match="none of 2 trials came to an end"):
        search(splits, diverging, {"learning_rate": [1e30]}, trials=2, progress=False)


def test_options_that_do_not_go_together_are_a_failed_trial(splits: Splits) -> None:
    pytest.importorskip("optuna")
    recipe = Recipe("attention_table", epochs=1, options={"width": 8})
    found = search(splits, recipe, {"heads": [3, 4]}, trials=6, progress=False)
    assert found.recipe.options == {"width": 8, "heads": 4}
    assert {trial.outcome for trial in found.trials if trial.options["heads"] == 3} == {"failed"}


@pytest.mark.parametrize(
    ("recipe", "space", "trials", "message"),
    [
        (RECIPE, {}, 1, "a space of at least one option"),
        (RECIPE, SPACE, 0, "trials must be at least 1"),
        (RECIPE, {"class_weights": ["none"]}, 1, "class_weights cannot be searched"),
        (RECIPE, {"prune": [0.0, 0.9]}, 1, "prune cannot be searched"),
        (RECIPE, {"calibration": ["none"]}, 1, "calibration cannot be searched"),
        (RECIPE, {"epochs": 5}, 1, "must be a range or a list"),
        (RECIPE, {"activation": "relu"}, 1, "must be a range or a list"),
        (RECIPE, {"hidden": []}, 1, "must be a range or a list"),
        (replace(RECIPE, private=Private(delta=1e-5, epsilon=1.0)), SPACE, 1, "would spend its epsilon again"),
    ],
)
def test_a_search_that_cannot_be_is_refused(splits: Splits, recipe: Recipe, space: dict[str, Any], trials: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        search(splits, recipe, space, trials=trials, progress=False)


@pytest.mark.parametrize(("low", "high", "log"), [(1.0, 1.0, False), (0.0, 1.0, True), (0.0, float("inf"), False)])
def test_a_range_that_cannot_be_is_refused(low: float, high: float, log: bool) -> None:
    with pytest.raises(ConfigurationError, match="a range needs finite low < high"):
        Range(low, high, log=log)


def test_without_optuna_it_is_refused_with_what_to_install(splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'assay\[search\]'"):
        search(splits, RECIPE, SPACE, trials=1, progress=False)
