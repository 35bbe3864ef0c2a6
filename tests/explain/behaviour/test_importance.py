"""Permutation importance is the loss over all pairs of rows, and its intervals cover the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import cases

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from explain.behaviour.permutation_importance import importance
from explain.behaviour.scores import weighted_auc


def rule(x: torch.Tensor) -> torch.Tensor:
    return 2 * x[:, 0] - x[:, 1]


def scored(classifier: Classifier, x: torch.Tensor, labels: torch.Tensor, metric: str) -> float:
    """The measure by another library."""
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    probabilities = classifier.probabilities(x)[:, 1].double().numpy()
    if metric == "accuracy":
        return float(accuracy_score(labels, probabilities > 0.5))
    return float(roc_auc_score(labels, probabilities) if metric == "auc" else log_loss(labels, probabilities))


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "auc"])
def test_with_all_repeats_it_is_the_loss_over_all_pairs_of_rows(case: Callable[..., tuple[Classifier, Dataset]], metric: str) -> None:
    classifier, data = case(rule, np.random.default_rng(0).normal(size=(24, 3)))
    found = importance(classifier, data, metric=metric, repeats=10_000)  # type: ignore[arg-type]
    assert found.exact
    assert found.repeats == 23
    own = scored(classifier, data.inputs, data.labels, metric)
    assert found.performance.value == pytest.approx(own, abs=1e-6)
    sign = -1 if metric == "log_loss" else 1
    for place, measured in enumerate(found.metrics[:2]):
        if metric == "auc":
            # An area is no mean of rows, so it is the mean over the shifts, which depend on the seed.
            assert measured.value is not None
            assert measured.value > 0
            continue
        losses = []
        for shift in range(1, 24):
            x = data.inputs.clone()
            x[:, place] = x[:, place].roll(shift)
            losses.append(sign * (own - scored(classifier, x, data.labels, metric)))
        assert measured.value == pytest.approx(np.mean(losses), abs=1e-6)


def test_where_no_row_moves_the_interval_tells_how_rare_such_rows_may_be(case: Callable[..., tuple[Classifier, Dataset]]) -> None:
    classifier, data = case(rule, np.random.default_rng(0).normal(size=(60, 3)))
    for metric in ("accuracy", "auc"):
        ignored = importance(classifier, data, metric=metric, repeats=3).metrics[2]  # type: ignore[arg-type]
        # The row that is not among them is drawn three times at most in 97.5 % of resamples: the rule of three.
        assert (ignored.value, ignored.low, ignored.high) == pytest.approx((0, -3 / 61, 3 / 61), abs=1e-12)
    first, _, ignored = importance(classifier, data, metric="log_loss", repeats=3).metrics
    assert ignored.value == pytest.approx(0, abs=1e-12)
    assert ignored.low is not None
    assert first.value is not None
    assert -first.value < ignored.low < -0.01


def test_a_larger_weight_is_more_important(case: Callable[..., tuple[Classifier, Dataset]]) -> None:
    classifier, data = case(rule, np.random.default_rng(0).normal(size=(400, 3)))
    frame = importance(classifier, data, metric="log_loss").to_frame()
    assert list(frame["feature"]) == ["x0", "x1", "x2"]
    assert frame["low"][0] > frame["high"][1] > 0


def test_weighted_areas_are_those_of_repeated_rows() -> None:
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(0)
    scores, positive = np.round(generator.normal(size=40), 1), generator.random(40) < 0.4
    weights = generator.integers(0, 4, (5, 40)).astype(float)
    areas = [roc_auc_score(positive, scores, sample_weight=line) for line in weights]
    assert weighted_auc(scores, positive, weights) == pytest.approx(areas, abs=1e-12)
    assert np.isnan(weighted_auc(scores, positive, np.where(positive, 0.0, 1.0)[None]))


def test_a_group_is_taken_from_the_other_row_together(case: Callable[..., tuple[Classifier, Dataset]]) -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    x[:, 1] = x[:, 0]
    classifier, data = case(lambda x: 3 * (x[:, 0] - x[:, 1]) + x[:, 2], x)
    alone = importance(classifier, data, metric="log_loss")
    assert "strongly correlated: x0 and x1 (+1.00)" in alone.notes[0]
    together = importance(classifier, data, metric="log_loss", groups={"both": ["x0", "x1"]})
    assert [metric.where["feature"] for metric in together.metrics] == ["both", "x2"]
    assert together.metrics[0].value == pytest.approx(0, abs=1e-6)
    assert together.notes == ()
    assert alone.metrics[0].value is not None
    assert alone.metrics[0].value > 0.5


def rare(x: torch.Tensor) -> torch.Tensor:
    """Log-odds in whose sign the second number matters in one row of 44."""
    return x[:, 0] * (2 + x[:, 1])


def covered(case: Callable[..., tuple[Classifier, Dataset]], metric: str, truth: float, draws: int) -> int:
    """In how many draws of 25 rows the interval of the second number of `rare` holds the truth."""
    hits = 0
    for seed in range(draws):
        classifier, data = case(rare, np.random.default_rng(seed).normal(size=(25, 2)), seed=seed)
        found = importance(classifier, data, metric=metric, seed=seed).metrics[1]  # type: ignore[arg-type]
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= truth <= found.high
    return hits


def test_intervals_cover_what_matters_in_few_rows(case: Callable[..., tuple[Classifier, Dataset]]) -> None:
    assert covered(case, "accuracy", 0.0148, 15) >= 14


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "truth"), [("accuracy", 0.0148), ("log_loss", 0.0806)])
def test_they_cover_it_as_often_as_they_say(case: Callable[..., tuple[Classifier, Dataset]], metric: str, truth: float) -> None:
    assert covered(case, metric, truth, 200) >= 186


@pytest.mark.slow
def test_intervals_cover_the_truth(case: Callable[..., tuple[Classifier, Dataset]]) -> None:
    def truth(seed: int, rows: int) -> list[float]:
        classifier, data = case(rule, np.random.default_rng(seed).normal(size=(rows, 3)), seed=seed)
        return [float(metric.value or 0) for metric in importance(classifier, data, metric="log_loss", rows=rows, repeats=2).metrics]

    true = np.mean([truth(seed, 20_000) for seed in (1000, 1001)], 0)
    covered = np.zeros(2)
    for seed in range(100):
        classifier, data = case(rule, np.random.default_rng(seed).normal(size=(120, 3)), seed=seed)
        for place, metric in enumerate(importance(classifier, data, metric="log_loss", repeats=5, seed=seed).metrics[:2]):
            assert metric.low is not None
            assert metric.high is not None
            covered[place] += metric.low <= true[place] <= metric.high
    assert (covered >= 88).all(), covered


def test_it_is_the_same_again_and_in_pieces(case: Callable[..., tuple[Classifier, Dataset]], monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, data = case(rule, np.random.default_rng(0).normal(size=(50, 3)))
    whole = importance(classifier, data)
    monkeypatch.setattr("explain.behaviour.answers._CACHED", 21)
    assert importance(classifier, data).metrics == whole.metrics
    assert importance(classifier, data, seed=1).metrics != whole.metrics


def test_every_modality_whose_parts_are_aligned_has_one() -> None:
    images = cases("image", 2)
    box = Classifier.wrap(lambda x: torch.sigmoid(x.flatten(1).mean(1)), schema=images.schema, classes=images.classes)
    found = importance(box, images, repeats=2)
    assert len(found.metrics) == 36
    assert "neighbouring parts" in found.notes[0]
    texts = cases("text", 2)
    box = Classifier.wrap(lambda x: torch.full((len(x), 2), 0.5), schema=texts.schema, classes=texts.classes)
    with pytest.raises(NotApplicableError, match=r"the parts of a text mean another thing in each.*attribute"):
        importance(box, texts)


def test_bad_options_are_refused_with_a_remedy(mixed: tuple[Classifier, Dataset]) -> None:
    classifier, data = mixed
    with pytest.raises(ConfigurationError, match="no measure 'acuracy'; did you mean 'accuracy'"):
        importance(classifier, data, metric="acuracy")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="repeats must be at least 1, got 0"):
        importance(classifier, data, repeats=0)
    with pytest.raises(ConfigurationError, match=r"no feature 'rat'.*did you mean 'rate'"):
        importance(classifier, data, groups={"a": ["rat"]})
    with pytest.raises(ConfigurationError, match="'rate' is in the groups 'a' and 'b'"):
        importance(classifier, data, groups={"a": ["rate"], "b": ["rate"]})
    with pytest.raises(ConfigurationError, match="the data have the classes bad, good, the classifier good, bad"):
        importance(classifier, replace(data, classes=("bad", "good")))
    with pytest.raises(ConfigurationError, match="their schemas differ; read the data with schema="):
        importance(classifier, replace(data, schema=replace(data.schema, encoding="natural")))
    with pytest.raises(ConfigurationError, match="at least 2 rows, got 1"):
        importance(classifier, data[np.array([0])])


def test_it_shows_itself(mixed: tuple[Classifier, Dataset]) -> None:
    found = importance(*mixed)
    ax = found.plot(limit=3)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(found.to_frame()["feature"][:3])
    assert "2 features not shown" in ax.get_xlabel().replace("\n", " ")
    assert [patch.get_width() for patch in ax.patches] == pytest.approx(found.to_frame()["value"][:3])  # type: ignore[attr-defined]
    assert "accuracy lost" in found._repr_html_().lower()
