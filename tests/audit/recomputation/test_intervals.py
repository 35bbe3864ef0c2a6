"""The intervals that are computed again are those of the papers, and of the code that measured, which is other code."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from audit.recomputation.intervals import area_under_curve, delong_interval, exact_interval, wilson_interval
from classifier.statistics import clopper_pearson, roc_auc_metric, wilson

COUNTS = [(0, 1), (1, 1), (0, 5), (5, 5), (3, 7), (26, 600), (500, 1000), (9_999, 10_000), (50_000, 100_000), (1, 100_000)]


@pytest.mark.parametrize(("count", "n"), COUNTS)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_intervals_of_proportions_are_those_that_were_measured(count: int, n: int, confidence: float) -> None:
    assert wilson_interval(count, n, confidence) == pytest.approx(wilson(count, n, confidence), abs=1e-12)
    assert exact_interval(count, n, confidence) == pytest.approx(clopper_pearson(count, n, confidence), abs=1e-12)


def test_the_exact_interval_ends_where_a_binomial_test_begins_to_reject() -> None:
    low, high = exact_interval(3, 20)
    assert stats.binom.sf(2, 20, low) == pytest.approx(0.025)
    assert stats.binom.cdf(3, 20, high) == pytest.approx(0.025)
    # No success of n: the high end is known in closed form.
    assert exact_interval(0, 10) == pytest.approx((0.0, 1 - 0.025**0.1))


def test_wilsons_interval_ends_where_the_score_test_begins_to_reject() -> None:
    z = stats.norm.ppf(0.975)
    for p in wilson_interval(7, 30):
        assert abs(7 / 30 - p) == pytest.approx(z * np.sqrt(p * (1 - p) / 30))


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_the_area_under_the_curve_is_that_which_was_measured_with_and_without_ties(decimals: int) -> None:
    draws = np.random.default_rng(decimals)
    scores = draws.normal(size=300).round(decimals)
    positive = scores + draws.normal(size=300) > 0
    metric = roc_auc_metric("a", scores, positive)
    assert delong_interval(scores.tolist(), positive.tolist()) == pytest.approx((metric.value, metric.low, metric.high), abs=1e-12)
    assert area_under_curve(scores.tolist(), positive.tolist()) == pytest.approx(metric.value, abs=1e-12)


def test_samples_that_are_separated_have_the_exact_interval() -> None:
    for sign in (1, -1):
        scores = [sign * score for score in (1.0, 2.0, 3.0, 4.0, 5.0)]
        metric = roc_auc_metric("a", np.array(scores), np.array([False, False, False, True, True]))
        assert metric.interval == "clopper-pearson"
        assert delong_interval(scores, [0, 0, 0, 1, 1]) == pytest.approx((metric.value, metric.low, metric.high), abs=1e-12)


def test_an_area_by_hand() -> None:
    # Of the four pairs one is lost and one is a tie.
    assert area_under_curve([1.0, 2.0, 2.0, 0.5], [0, 0, 1, 1]) == (1 + 0.5 + 0 + 0) / 4
