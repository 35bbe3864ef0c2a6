"""The scores against closed forms, and the features they are made from."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from audit.robustness.out_of_distribution import Mahalanobis, Scoring, measure_detection
from audit.robustness.out_of_distribution.detection import threshold_for, threshold_metric
from audit.robustness.out_of_distribution.features import Features
from audit.robustness.out_of_distribution.known_answers import measure_known_answers
from classifier import Classifier, Feature, Schema
from classifier.errors import DataError, ModelError
from classifier.seeds import Seed

SCHEMA = Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(3)))


def wrapped(module: nn.Module, classes: int = 3) -> Classifier:
    return Classifier.wrap(module, schema=SCHEMA, classes=tuple("abcdefgh"[:classes]))


class Sum(nn.Module):
    """Two linear layers beside each other, so that neither alone gives the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) + self.other(x)


def test_known_answers_hold() -> None:
    assert all(answer.holds for answer in measure_known_answers(Seed(3)))


@pytest.mark.parametrize("scale", [1.0, 1.5, 3.0])
def test_mahalanobis_tells_wider_gaussians_apart_as_their_closed_form_says(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    learned, known, outside = torch.randn(3, 6000, 2, generator=generator)
    fitted = Mahalanobis.fit(learned, torch.zeros(6000, dtype=torch.int64))
    auroc = measure_detection(-fitted.distance(known).numpy(), -fitted.distance(scale * outside).numpy()).auroc
    # Both squared distances are exponential, one with scale^2 times the mean.
    assert auroc.low is not None
    assert auroc.high is not None
    assert auroc.low - 0.005 < scale**2 / (1 + scale**2) < auroc.high + 0.005
    assert auroc.value == pytest.approx(scale**2 / (1 + scale**2), abs=0.015)


def test_distance_is_that_to_the_nearest_mean_in_the_shrunk_covariance() -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(90) % 3
    features = torch.randn(90, 4, generator=generator) @ torch.randn(4, 4, generator=generator) + labels[:, None] * 5
    rows = torch.randn(20, 4, generator=generator) * 8
    means = torch.stack([features[labels == k].double().mean(0) for k in range(3)])
    precision = torch.from_numpy(LedoitWolf(assume_centered=True).fit((features.double() - means[labels]).numpy()).precision_)
    apart = rows[:, None].double() - means
    expected = torch.einsum("nkd,de,nke->nk", apart, precision, apart).amin(1)
    fitted = Mahalanobis.fit(features, labels)
    torch.testing.assert_close(fitted.distance(rows), expected)
    torch.testing.assert_close(fitted.distance(rows[:1]), expected[:1])
    assert 0 < fitted.shrinkage < 1


def test_features_that_do_not_vary_or_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="all the same"):
        Mahalanobis.fit(torch.ones(10, 3), torch.zeros(10, dtype=torch.int64))
    with pytest.raises(DataError, match="not finite"):
        Mahalanobis.fit(torch.full((10, 3), torch.nan), torch.zeros(10, dtype=torch.int64))


def test_features_are_what_the_last_linear_layer_is_given() -> None:
    hidden = nn.Sequential(nn.Linear(3, 7), nn.Tanh())
    classifier = wrapped(nn.Sequential(hidden, nn.Linear(7, 3)))
    x = torch.rand(5, 3)
    features = Features.of(classifier, x)
    assert features.place == "penultimate"
    torch.testing.assert_close(features(x), hidden(x).detach())


@pytest.mark.parametrize(
    ("module", "said"),
    [(Sum(), "not that of one linear layer alone"), (nn.Sequential(nn.Linear(3, 3), nn.Tanh()), "not that of one linear layer alone")],
    ids=["a sum of two layers", "a layer after it"],
)
def test_logits_stand_in_where_no_layer_alone_gives_the_answer(module: nn.Module, said: str) -> None:
    classifier = wrapped(module)
    x = torch.rand(5, 3)
    features = Features.of(classifier, x)
    assert features.place == "logits"
    assert said in features.reason
    torch.testing.assert_close(features(x), classifier.logits(x))


def test_softmax_and_energy_are_those_of_the_logits_and_a_shift_of_all_moves_the_energy_alone() -> None:
    layer = nn.Linear(3, 3)
    shifted = nn.Linear(3, 3)
    shifted.load_state_dict({"weight": layer.weight.data, "bias": layer.bias.data + 5})
    x = torch.rand(6, 3)
    here, there = (Scoring.of(wrapped(module), None, x).scores(x) for module in (layer, shifted))
    logits = layer(x).double().detach()
    torch.testing.assert_close(here["energy"], logits.exp().sum(1).log())
    torch.testing.assert_close(here["softmax"], (logits.exp() / logits.exp().sum(1, keepdim=True)).amax(1))
    torch.testing.assert_close(there["energy"], here["energy"] + 5, rtol=0, atol=1e-5)
    torch.testing.assert_close(there["softmax"], here["softmax"], rtol=0, atol=1e-5)


def test_the_energy_of_a_black_box_is_refused_and_so_is_a_distance_without_training_rows() -> None:
    black = Classifier.wrap(lambda x: torch.softmax(x * 3, 1), schema=SCHEMA, classes=("a", "b", "c"))
    x = torch.rand(6, 3)
    scoring = Scoring.of(black, None, x)
    assert set(scoring.refused) == {"energy", "mahalanobis"}
    assert set(scoring.scores(x)) == {"softmax"}
    assert set(Scoring.of(black, (x, torch.arange(6) % 3), x).scores(x)) == {"softmax", "mahalanobis"}


def test_a_classifier_that_answers_outside_with_no_number_is_refused() -> None:
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sqrt()

    x = torch.rand(4, 3)
    scoring = Scoring.of(wrapped(Root()), None, x)
    with pytest.raises(ModelError, match="not finite"):
        scoring.scores(-x)


@given(n=st.integers(1, 60), seed=st.integers(0, 100), ties=st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_threshold_is_the_largest_that_keeps_95_percent(n: int, seed: int, ties: bool) -> None:
    known = np.random.default_rng(seed).normal(size=n)
    known = np.round(known) if ties else known
    threshold = threshold_for(known)
    assert (known >= threshold).mean() >= 0.95
    above = known[known > threshold]
    assert not len(above) or (known >= above.min()).mean() < 0.95
    assert threshold_metric(known, Seed(seed), resamples=20).value == threshold


def test_detection_is_that_of_a_count_by_hand_and_of_another_library() -> None:
    known, outside = np.arange(40.0), np.array([-1.0, 1.5, 2.0, 20.0])
    found = measure_detection(known, outside)
    assert found.threshold == 2
    assert found.false_positives.value == 0.5
    assert found.false_positives.interval == "clopper-pearson"
    assert found.auroc.value == pytest.approx(roc_auc_score(np.r_[np.ones(40), np.zeros(4)], np.r_[known, outside]))


def test_no_known_row_and_scores_that_are_no_number_are_refused() -> None:
    for known in (np.zeros(0), np.array([1.0, np.nan])):
        with pytest.raises(DataError, match="a threshold needs scores that are numbers"):
            threshold_for(known)


def test_shift_by_two_deviations_is_what_the_formula_says() -> None:
    (answer,) = [a for a in measure_known_answers(Seed(0)) if a.id == "robustness.ood_gaussian"]
    assert answer.expected == pytest.approx(1 - exp(-1) / 2)
