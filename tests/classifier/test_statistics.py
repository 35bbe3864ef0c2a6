"""Intervals and statistics, against SciPy, scikit-learn, closed forms and simulations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special, stats
from sklearn import metrics as sk

from classifier import Metric
from classifier.seeds import Seed
from classifier.statistics import (
    bootstrap,
    clopper_pearson,
    mean,
    p_value,
    proportion,
    roc_auc,
    roc_auc_metric,
    roc_curve,
    samples_to_decide,
    wilson,
)

counts = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=150, deadline=None)
@given(counts, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_intervals_of_a_proportion_are_scipys(case: tuple[int, int], confidence: float) -> None:
    successes, n = case
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        theirs = stats.binomtest(successes, n).proportion_ci(confidence, method=method)
        assert ours(successes, n, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_a_proportion_is_a_metric_with_its_interval() -> None:
    hits = np.arange(50) < 40
    metric = proportion("a.b", hits, interval="clopper-pearson", bound="upper", better="lower")
    assert (metric.value, metric.low, metric.high, metric.n) == (0.8, *clopper_pearson(40, 50), 50)
    assert (metric.interval, metric.bound, metric.better) == ("clopper-pearson", "upper", "lower")
    assert proportion("a.b", hits[:0], empty="no woman").reason == "no woman"


def draw_scores(seed: int, n: int = 60, levels: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties, and a positive kind that scores higher."""
    generator = Seed(seed, ("scores",)).numpy()
    positive = np.arange(n) % 3 == 0
    return np.round(generator.normal(positive * 1.0, 1.0) * levels / 6) / levels, positive


@pytest.mark.parametrize("seed", range(8))
def test_roc_auc_is_scikit_learns(seed: int) -> None:
    scores, positive = draw_scores(seed)
    assert roc_auc(scores, positive) == pytest.approx(sk.roc_auc_score(positive, scores), abs=1e-12)
    metric = roc_auc_metric("a.auc", scores, positive)
    assert metric.value == pytest.approx(sk.roc_auc_score(positive, scores), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_roc_curve_is_scikit_learns(seed: int) -> None:
    scores, positive = draw_scores(seed)
    false, true, _ = sk.roc_curve(positive, scores, drop_intermediate=False)
    ours = roc_curve(scores, positive)
    assert np.allclose(ours[0], false, atol=1e-12)
    assert np.allclose(ours[1], true, atol=1e-12)


def slow_delong_variance(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """AUC and its variance, straight from the definition of the structural components."""
    up, down = scores[positive].tolist(), scores[~positive].tolist()
    kernel = [[1.0 if x > y else 0.5 if x == y else 0.0 for y in down] for x in up]
    auc = sum(map(sum, kernel)) / (len(up) * len(down))
    over_positives = [sum(row) / len(down) for row in kernel]
    over_negatives = [sum(row[j] for row in kernel) / len(up) for j in range(len(down))]
    s10 = sum((v - auc) ** 2 for v in over_positives) / (len(up) - 1)
    s01 = sum((v - auc) ** 2 for v in over_negatives) / (len(down) - 1)
    return auc, s10 / len(up) + s01 / len(down)


@pytest.mark.parametrize("seed", range(6))
def test_delongs_interval_has_the_variance_of_the_definition(seed: int) -> None:
    scores, positive = draw_scores(seed, n=40 + seed)
    metric = roc_auc_metric("a.auc", scores, positive, confidence=0.9)
    auc, variance = slow_delong_variance(scores, positive)
    assert metric.interval == "delong"
    assert metric.low is not None
    assert metric.high is not None
    half = stats.norm.ppf(0.95) * np.sqrt(variance) / (auc * (1 - auc))
    assert special.logit([metric.low, metric.high]) == pytest.approx([special.logit(auc) - half, special.logit(auc) + half], abs=1e-9)


def test_separated_scores_have_an_interval_all_the_same() -> None:
    positive = np.arange(30) >= 20
    perfect = roc_auc_metric("a.auc", np.arange(30.0), positive)
    assert (perfect.value, perfect.high) == (1.0, 1.0)
    assert perfect.low == pytest.approx(0.025 ** (1 / 10))
    reversed_ = roc_auc_metric("a.auc", -np.arange(30.0), positive)
    assert (reversed_.value, reversed_.low) == (0.0, 0.0)
    assert reversed_.high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_an_auc_of_one_kind_is_missing() -> None:
    metric = roc_auc_metric("a.auc", np.arange(9.0), np.arange(9) == 4)
    assert (metric.value, metric.reason) == (None, "needs 2 samples of each kind, there are 1 and 8")


def test_the_bootstrap_of_a_mean_is_close_to_its_normal_interval() -> None:
    values = Seed(1, ("values",)).numpy().normal(3.0, 2.0, 400)
    metric = mean("a.mean", values, Seed(0))
    half = 1.96 * values.std() / 20
    assert metric.value == pytest.approx(values.mean(), abs=1e-12)
    assert metric.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert metric.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_the_bootstrap_follows_its_seed() -> None:
    values = np.arange(30.0) ** 2
    assert mean("a.mean", values, Seed(0)) == mean("a.mean", values, Seed(0))
    assert mean("a.mean", values, Seed(0)) != mean("a.mean", values, Seed(1))


def test_strata_keep_their_size() -> None:
    strata = np.repeat([0, 1, 2], [3, 10, 27])
    sizes: list[np.ndarray] = []

    def record(weights: np.ndarray) -> np.ndarray:
        sizes.append(np.stack([weights[:, strata == s].sum(1) for s in range(3)], 1))
        return np.asarray(weights @ np.arange(40.0))

    bootstrap("a.b", record, 40, Seed(0), strata=strata, resamples=200)
    assert sum(map(len, sizes)) == 201
    assert (np.concatenate(sizes) == [3, 10, 27]).all()


def test_a_statistic_that_resamples_lack_is_missing() -> None:
    def only_with_the_first(weights: np.ndarray) -> np.ndarray:
        return np.where((weights == 1).all(1), 1.0, np.nan)

    assert bootstrap("a.b", only_with_the_first, 20, Seed(0), resamples=100).reason == "100 of 100 resamples lack what this number needs"
    assert bootstrap("a.b", lambda w: np.full(len(w), np.nan), 20, Seed(0)).reason == "the samples lack what this number needs"
    assert mean("a.b", np.zeros(0), Seed(0)).reason == "no sample"


def coverage(metrics: list[Metric], truth: float) -> float:
    return float(np.mean([m.low is not None and m.high is not None and m.low <= truth <= m.high for m in metrics]))


@pytest.mark.slow
def test_bootstrap_intervals_cover_a_mean_at_their_rate() -> None:
    generator = Seed(0, ("coverage", "mean")).numpy()
    found = [
        bootstrap("a.mean", lambda w, v=values: (w @ v) / w.sum(1), 80, Seed(i), resamples=400)  # type: ignore[misc]
        for i, values in enumerate(generator.normal(1.0, 1.0, (2000, 80)))
    ]
    assert 0.93 <= coverage(found, 1.0) <= 0.97


@pytest.mark.slow
def test_bootstrap_intervals_cover_an_auc_at_their_rate() -> None:
    generator = Seed(0, ("coverage", "auc")).numpy()
    positive = np.arange(120) < 50
    truth = float(stats.norm.cdf(1.0 / np.sqrt(2)))
    found = []
    for i in range(1000):
        scores = generator.normal(positive * 1.0, 1.0)
        above = (scores[positive][:, None] > scores[~positive][None, :]).astype(float)

        def auc(weights: np.ndarray, above: np.ndarray = above) -> np.ndarray:
            up, down = weights[:, positive], weights[:, ~positive]
            return np.asarray(((up @ above) * down).sum(1) / (up.sum(1) * down.sum(1)))

        found.append(bootstrap("a.auc", auc, 120, Seed(i), strata=positive.astype(np.int64), resamples=400))
    assert 0.93 <= coverage(found, truth) <= 0.97


@pytest.mark.slow
def test_delongs_intervals_cover_at_their_rate() -> None:
    generator = Seed(0, ("coverage", "delong")).numpy()
    positive = np.arange(80) < 30
    truth = float(stats.norm.cdf(1.5 / np.sqrt(2)))
    found = [roc_auc_metric("a.auc", generator.normal(positive * 1.5, 1.0), positive) for _ in range(4000)]
    assert 0.93 <= coverage(found, truth) <= 0.97


def test_a_p_value_counts_the_observed_itself() -> None:
    permuted = np.arange(99.0)
    assert p_value(200.0, permuted) == pytest.approx(1 / 100)
    assert p_value(-1.0, permuted) == 1.0
    assert p_value(98.0, permuted) == pytest.approx(2 / 100)
    # A sum that rounds differently in another order is a tie all the same.
    assert p_value(0.3, np.array([0.1 + 0.2 - 2e-16])) == 1.0


@given(counts, st.floats(0.01, 0.99))
def test_that_many_samples_would_decide(case: tuple[int, int], limit: float) -> None:
    successes, n = case
    metric = Metric("a.b", successes / n, *wilson(successes, n), n)
    assume(abs(successes / n - limit) > 1e-3)
    needed = samples_to_decide(metric, limit)
    assert needed is not None
    assert metric.low is not None
    assert metric.high is not None
    # More than there are exactly where the limit is still inside; then the interval shrinks with the root of n.
    assert (needed > n) == (metric.low < limit < metric.high)
    half = (metric.value - metric.low if limit < successes / n else metric.high - successes / n) if metric.value is not None else 0.0
    assert half * np.sqrt(n / max(needed, 1)) <= abs(successes / n - limit) * (1 + 1e-9)


def test_no_number_of_samples_decides_where_the_value_is_the_limit() -> None:
    assert samples_to_decide(Metric("a.b", 0.5, 0.4, 0.6, 100), 0.5) is None
    assert samples_to_decide(Metric.missing("a.b", "no sample"), 0.5) is None
    assert samples_to_decide(Metric("a.b", 0.5, 0.4, 0.6, 100), 0.45) == 400
