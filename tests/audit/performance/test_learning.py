"""Calibration and the permutation test, on probabilities whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from audit import Evidence, Subject
from audit.check import make_check
from classifier import Dataset
from classifier.seeds import Seed


def measured(check: str, event: np.ndarray, labels: np.ndarray, seed: int = 0, **options: int) -> Evidence:  # type: ignore[type-arg]
    """What a check says of the event's probabilities and what happened."""
    frame = pd.DataFrame({"x": np.arange(len(labels)) % 7, "y": np.where(labels, "yes", "no")})
    rows = Dataset.from_frame(frame, target="y", event="yes")
    p = torch.from_numpy(event)
    return make_check(check, options).measure(
        Subject(rows, predictions=torch.stack([1 - p, p], dim=1), independence="given"), Seed(seed, (check,))
    )


def test_the_calibration_gap_is_the_mean_probability_less_the_rate() -> None:
    labels = np.arange(400) % 4 == 0
    gap = measured("performance.calibration", np.full(400, 0.4), labels).metric("performance.calibration_gap")
    assert gap.value == pytest.approx(0.15)
    assert gap.low is not None
    assert gap.low > 0.05
    exact = measured("performance.calibration", np.where(labels, 0.7, 0.1), labels).metric("performance.calibration_gap")
    assert exact.value == pytest.approx(0, abs=1e-12)


def test_the_reliability_curve_has_bins_of_equal_size_whose_mean_is_the_rate() -> None:
    generator = np.random.default_rng(0)
    event = generator.random(500)
    labels = generator.random(500) < event
    (figure,) = measured("performance.calibration", event, labels, bins=10).figures
    (curve,) = figure.series
    assert len(curve.x) == 10
    assert np.mean(curve.x) == pytest.approx(event.mean())
    assert np.mean(curve.y) == pytest.approx(labels.mean())
    assert all(low <= y <= high for low, y, high in zip(curve.low, curve.y, curve.high, strict=True))


@pytest.mark.parametrize("event", [0.2, 0.8])
def test_a_constant_classifier_has_learned_nothing(event: float) -> None:
    labels = np.arange(100) % 3 == 0
    evidence = measured("performance.learning", np.full(100, event), labels, permutations=200)
    assert evidence.metric("performance.learned_p_value").value == 1
    # Guessing the rarer class is worse than guessing the commonest by the difference of the two.
    expected = 0 if event < 0.5 else (labels.mean() - (1 - labels.mean()))
    assert evidence.metric("performance.gain_over_majority").value == pytest.approx(expected)


def test_the_p_value_of_a_perfect_classifier_is_that_of_fishers_exact_test_or_the_least_there_can_be() -> None:
    labels = np.arange(8) < 4
    evidence = measured("performance.learning", np.where(labels, 0.9, 0.1), labels, permutations=20000)
    # Of the 70 ways to deal 4 events to 8 rows, one fits the predictions.
    p = evidence.metric("performance.learned_p_value")
    assert p.low is not None
    assert p.high is not None
    assert p.low <= 1 / 70 <= p.high


def test_under_the_null_a_small_p_value_is_as_rare_as_it_says() -> None:
    generator = np.random.default_rng(1)
    values = []
    for trial in range(200):
        labels, event = generator.random(40) < 0.4, generator.random(40)
        evidence = measured("performance.learning", event, labels, seed=trial, permutations=99)
        values.append(evidence.metric("performance.learned_p_value").value)
    p = np.array(values, dtype=float)
    for level in (0.05, 0.2, 0.5):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / len(p))
    assert abs(p.mean() - 0.5) < 0.1
