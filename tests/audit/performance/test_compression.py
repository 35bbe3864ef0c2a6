"""What compression changed is measured against the very classifier that was compressed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit import Subject, run
from classifier import Dataset, Splits
from trainer import Recipe, train

CHECK = "performance.compression"
RECIPE = Recipe("mlp", hidden=(16,), epochs=20, learning_rate=0.01)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Dataset.builtin("moons").split(seed=0)


def subject(splits: Splits, recipe: Recipe) -> Subject:
    classifier = train(splits, recipe, progress=False)
    return Subject(splits.test, classifier=classifier, training=splits.train, validation=splits.validation, recipe=recipe)


def test_agreement_and_change_are_those_of_the_two_classifiers(splits: Splits) -> None:
    recipe = replace(RECIPE, prune=0.7, quantise=4)
    compressed = subject(splits, recipe)
    evidence = run(compressed, only=[CHECK], progress=False)[CHECK]
    x, y = splits.test.inputs, splits.test.labels.numpy()
    before, after = (c.predict(x).numpy() for c in (train(splits, RECIPE, progress=False), compressed.model))
    agreement, change = (evidence.metric(f"{CHECK}_{name}") for name in ("agreement", "accuracy_change"))
    assert agreement.value == pytest.approx(np.mean(before == after))
    assert change.value == pytest.approx(np.mean(after == y) - np.mean(before == y))
    assert change.low is not None
    assert change.high is not None
    assert change.low <= change.value <= change.high
    assert evidence.parameters["zeros"] > 0.5


def test_a_fine_grid_changes_almost_nothing_and_no_weights_at_all_change_much(splits: Splits) -> None:
    fine, coarse = (
        run(subject(splits, replace(RECIPE, prune=prune, quantise=8)), only=[CHECK], progress=False)[CHECK]
        .metric(f"{CHECK}_agreement")
        .value
        for prune in (0.0, 0.98)
    )
    assert fine is not None
    assert coarse is not None
    assert fine > 0.97 > coarse + 0.1


def test_where_nothing_was_compressed_it_says_so(splits: Splits) -> None:
    assert run(subject(splits, RECIPE), only=[CHECK], progress=False)[CHECK].not_run == "the classifier was neither pruned nor quantised"


def test_a_twin_that_is_another_classifier_is_not_compared(splits: Splits) -> None:
    recipe = replace(RECIPE, quantise=8)
    other = replace(subject(splits, recipe), recipe=replace(recipe, seed=1), _memory={})
    reason = run(other, only=[CHECK], progress=False)[CHECK].not_run
    assert reason is not None
    assert "is another one" in reason
