"""Every test of significance against a published or independent answer, and its false alarms against what it states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from audit.comparison.paired import Hits, Rows, Scores, Shares, compare_pairs, same_rows
from audit.comparison.significance import able, holm
from audit.comparison.two_samples import compare_samples
from classifier.metric import Metric
from classifier.statistics import proportion, roc_auc, roc_auc_metric


def _shares(values: np.ndarray, ids: np.ndarray | None = None) -> Shares:
    return Shares(np.arange(len(values)) if ids is None else ids, values[:, None], np.ones((len(values), 1)))


def _share(successes: int, n: int) -> Metric:
    return proportion("m", np.arange(n) < successes)


def test_holm_gives_the_answer_of_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_never_makes_smaller_keeps_the_order_and_stays_a_chance(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 40))
@settings(deadline=None)
def test_mcnemar_is_the_exact_binomial_test_of_the_rows_that_turned(lost: int, won: int, kept: int) -> None:
    old = np.r_[np.ones(lost, bool), np.zeros(won, bool), np.ones(kept + 1, bool)]
    new = np.r_[np.zeros(lost, bool), np.ones(won, bool), np.ones(kept + 1, bool)]
    tested = compare_pairs(Hits(np.arange(len(old)), old), Hits(np.arange(len(old)), new))
    assert tested is not None
    exact = stats.binomtest(won, lost + won).pvalue if lost + won else 1.0
    assert tested.p_value == pytest.approx(exact, abs=1e-9)
    difference = new.mean() - old.mean()
    assert tested.low - 1e-12 <= difference <= tested.high + 1e-12
    assert (tested.p_value <= 0.05) == (not tested.low <= 0 <= tested.high)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((0, 29), (5, 56), -0.0381, 0.1926),
        ((0, 10), (10, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_gives_the_intervals_of_his_paper(first: tuple[int, int], second: tuple[int, int], low: float, high: float) -> None:
    tested = compare_samples(_share(*first), _share(*second))
    assert tested is not None
    assert (tested.method, tested.low, tested.high) == ("newcombe", pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert (tested.p_value < 0.05) == (low > 0)


def test_newcombe_is_close_to_the_usual_test_of_large_samples() -> None:
    tested = compare_samples(_share(500, 1000), _share(545, 1000))
    z = 0.045 / np.sqrt(2 * 0.5225 * 0.4775 / 1000)
    assert tested is not None
    assert tested.p_value == pytest.approx(2 * stats.norm.sf(z), rel=0.02)


def test_the_paired_bootstrap_is_close_to_the_paired_t_test() -> None:
    generator = np.random.default_rng(0)
    old = generator.normal(0, 1, 80)
    new = old + generator.normal(0.1, 0.4, 80)
    tested, known = compare_pairs(_shares(old), _shares(new)), stats.ttest_rel(new, old)
    assert tested is not None
    assert np.log(tested.p_value) == pytest.approx(np.log(known.pvalue), rel=0.1)
    interval = known.confidence_interval()
    assert (tested.low, tested.high) == (pytest.approx(interval.low, abs=0.005), pytest.approx(interval.high, abs=0.005))


def test_the_paired_test_of_two_areas_has_the_variance_that_all_pairs_give() -> None:
    generator = np.random.default_rng(1)
    positive = np.arange(40) < 15
    old = positive + generator.normal(0, 1, 40)
    new = np.round(old + generator.normal(0, 0.8, 40), 1)

    def wins(scores: np.ndarray) -> np.ndarray:
        a, b = scores[positive][:, None], scores[~positive][None]
        return np.asarray((a > b) + 0.5 * (a == b))

    apart = wins(new) - wins(old)
    error = np.sqrt(apart.mean(1).var(ddof=1) / 15 + apart.mean(0).var(ddof=1) / 25)
    tested = compare_pairs(*(Scores(np.arange(40), scores, positive) for scores in (old, new)))
    assert tested is not None
    spreads = np.array([apart.mean(1).var(ddof=1) / 15, apart.mean(0).var(ddof=1) / 25])
    freedom = spreads.sum() ** 2 / (spreads**2 / [14, 24]).sum()
    assert tested.p_value == pytest.approx(2 * stats.t.sf(abs(apart.mean() / error), freedom))
    assert (tested.low + tested.high) / 2 == pytest.approx(roc_auc(new, positive) - roc_auc(old, positive))


def test_intervals_that_overlap_tell_nothing_and_those_apart_by_how_far() -> None:
    def metric(value: float, half: float) -> Metric:
        return Metric("m", value, value - half, value + half, 100, interval="bootstrap")

    near, apart = compare_samples(metric(0.5, 0.1), metric(0.65, 0.1)), compare_samples(metric(0.5, 0.1), metric(0.75, 0.1))
    assert near is not None
    assert apart is not None
    assert near.p_value == 1.0
    assert apart.p_value == pytest.approx(2 * stats.norm.sf(stats.norm.ppf(0.975) * 0.25 / (0.1 * np.sqrt(2))))
    assert apart.low > 0
    assert compare_samples(metric(0.5, 0.0), metric(0.75, 0.0)) is None


def test_rows_are_a_pair_only_where_they_are_the_same_rows() -> None:
    hits = np.array([True, False, True])
    one, other = Hits(np.array([3, 1, 2]), hits), Hits(np.array([1, 2, 3]), hits)
    pair = same_rows(one, other)
    assert pair is not None
    assert [rows.ids.tolist() for rows in pair] == [[1, 2, 3], [1, 2, 3]]
    assert isinstance(pair[0], Hits)
    assert pair[0].hits.tolist() == [False, True, True]
    assert same_rows(one, Hits(np.array([1, 2, 4]), hits)) is None
    assert same_rows(one, Hits(np.array([1, 2]), hits[:2])) is None
    assert same_rows(Hits(np.array([1, 1, 2]), hits), Hits(np.array([1, 1, 2]), hits)) is None
    assert same_rows(one, _shares(np.ones(3), other.ids)) is None
    scores = Scores(other.ids, np.arange(3.0), hits)
    assert same_rows(scores, Scores(other.ids, np.arange(3.0), ~hits)) is None


def _equal_pairs(kind: str, generator: np.random.Generator) -> tuple[Rows, Rows]:
    """What two classifiers that are as good as each other give on the same rows, of which some are hard for both."""
    ids, hard = np.arange(60), generator.random(60)
    if kind == "mcnemar":
        return Hits(ids, generator.random(60) < hard), Hits(ids, generator.random(60) < hard)
    if kind == "paired_bootstrap":
        return _shares(hard + generator.exponential(0.5, 60)), _shares(hard + generator.exponential(0.5, 60))
    positive = ids < 25
    return tuple(Scores(ids, hard + positive * 0.5 + generator.normal(0, 0.5, 60), positive) for _ in range(2))  # type: ignore[return-value]


@pytest.mark.parametrize(("kind", "least"), [("mcnemar", 0.0), ("paired_bootstrap", 0.02), ("paired_delong", 0.02)])
def test_equal_classifiers_on_the_same_rows_raise_false_alarms_as_rarely_as_stated(kind: str, least: float) -> None:
    generator = np.random.default_rng(0)
    tested = [compare_pairs(*_equal_pairs(kind, generator)) for _ in range(400)]
    alarms = np.mean([one is not None and one.p_value <= 0.05 for one in tested])
    assert all(one is not None and one.method == kind for one in tested)
    # Three standard deviations above 5 % of 400.
    assert least <= alarms <= 0.083


def test_areas_of_few_positives_raise_no_more_false_alarms_and_of_fewer_are_not_tested_by_their_rows() -> None:
    generator = np.random.default_rng(1)

    def alarms(positives: int) -> list[bool | None]:
        positive, told = np.arange(45) < positives, []
        for _ in range(600):
            hard = generator.normal(size=45) + positive
            tested = compare_pairs(*(Scores(np.arange(45), hard + generator.normal(size=45) * 0.5, positive) for _ in range(2)))
            told.append(None if tested is None else tested.p_value <= 0.05)
        return told

    assert set(alarms(7)) == {None}
    # Three standard deviations above 5 % of 600.
    assert np.mean([bool(one) for one in alarms(8)]) <= 0.077


def test_an_area_of_1_is_no_share_of_all_rows() -> None:
    positive = np.arange(45) < 2
    tested = compare_samples(*(roc_auc_metric("m", scores, positive) for scores in (positive.astype(float), 1.0 - positive)))
    assert tested is not None
    assert (tested.method, tested.p_value) == ("intervals", 1.0)


def test_tests_that_could_find_nothing_are_not_corrected_for() -> None:
    # Tarone: of these, at a share of .05 / 2, the first two alone could.
    assert able([0.0, 0.02, 0.03, 0.0625, 1.0], 0.05) == [True, True, False, False, False]
    assert able([0.03, 1.0, 1.0], 0.05) == [True, False, False]
    assert able([1.0, 1.0], 0.05) == [False, False]
    assert able([0.0] * 3, 0.05) == [True] * 3
    assert able([], 0.05) == []


def test_two_samples_of_one_proportion_raise_false_alarms_as_rarely_as_stated() -> None:
    generator = np.random.default_rng(0)
    tested = [
        compare_samples(_share(int(a), 80), _share(int(b), 120))
        for a, b in zip(generator.binomial(80, 0.7, 400), generator.binomial(120, 0.7, 400), strict=True)
    ]
    assert np.mean([one is not None and one.p_value <= 0.05 for one in tested]) <= 0.083
