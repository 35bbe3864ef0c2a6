"""Cross-validation: every row is judged once, by a classifier that never saw it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from classifier import Dataset
from classifier.errors import ConfigurationError
from trainer import Recipe, cross_predict, cross_validate

RECIPE = Recipe("mlp", hidden=(8,), epochs=5, learning_rate=0.01)


def test_the_mean_over_the_folds_has_the_corrected_interval() -> None:
    moons = Dataset.builtin("moons")
    result = cross_validate(moons, RECIPE, folds=4)
    right = (cross_predict(moons, RECIPE, count=4).argmax(1) == moons.labels).numpy()
    fold = moons.folds(4)
    values = [right[fold == index].mean() for index in range(4)]
    assert [metric.value for metric in result.folds] == pytest.approx(values)
    assert sum(metric.n for metric in result.folds) == result.accuracy.n == len(moons)
    assert result.accuracy.value == pytest.approx(np.mean(values))
    half = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) * np.sqrt(1 / 4 + 1 / 3)
    low, high = result.accuracy.low, result.accuracy.high
    assert low is not None
    assert high is not None
    assert low <= max(0, np.mean(values) - half) + 1e-9
    assert high >= min(1, np.mean(values) + half) - 1e-9


def test_labels_that_mean_nothing_are_guessed() -> None:
    moons = Dataset.builtin("moons")
    generator = torch.Generator().manual_seed(0)
    rows = replace(moons, labels=torch.randint(0, 2, (len(moons),), generator=generator))
    accuracy = cross_validate(rows, Recipe("mlp", hidden=(64,), epochs=20, learning_rate=0.02, patience=None)).accuracy
    assert accuracy.value is not None
    assert abs(accuracy.value - 0.5) < 4 * 0.5 / len(rows) ** 0.5


def test_folds_that_cannot_be_are_refused() -> None:
    moons = Dataset.builtin("moons")
    with pytest.raises(ConfigurationError, match="folds must be at least 2, got 1"):
        cross_validate(moons, RECIPE, folds=1)
    with pytest.raises(ConfigurationError, match="do not fill"):
        cross_validate(moons, RECIPE, folds=len(moons) + 1)
