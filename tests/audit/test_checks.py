"""The checks against outside references and planted truths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate
from sklearn import metrics as sk
from torch import nn

from audit import Evidence, Subject
from audit.check import make_check
from classifier import Classifier, Dataset, Feature, Schema
from classifier.seeds import Seed

SEED = Seed(0, ("test",))


def measure(check: str, subject: Subject, **options: object) -> Evidence:
    made = make_check(check, options)
    assert not [need for need in made.needs if subject.lacks(need)]
    return made.measure(subject, SEED)


def linear(weight: list[list[float]], rows: int = 200, seed: int = 0, event: str = "b") -> tuple[Classifier, Dataset]:
    generator = np.random.default_rng(seed)
    features = tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(len(weight[0])))
    layer = nn.Linear(len(weight[0]), len(weight))
    layer.weight.data, layer.bias.data = torch.tensor(weight), torch.zeros(len(weight))
    classes = tuple("abcdefghij"[: len(weight)])
    classifier = Classifier.wrap(layer, schema=Schema("tabular", features), classes=classes)
    import pandas as pd

    x = generator.random((rows, len(features)))
    frame = pd.DataFrame(x, columns=list(classifier.schema.names)).assign(y=np.array(classes)[generator.integers(0, len(classes), rows)])
    return classifier, Dataset.from_frame(frame, target="y", schema=classifier.schema, classes=classes)


def test_performance_equals_scikit_learns(credit_subject: Subject) -> None:
    evidence = measure("performance.accuracy", credit_subject, resamples=100)
    labels, p = credit_subject.test.labels.numpy(), credit_subject.probabilities()[:, 1]
    expected = {
        "accuracy": sk.accuracy_score(labels, p >= 0.5),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, p >= 0.5),
        "roc_auc": sk.roc_auc_score(labels, p),
        "log_loss": sk.log_loss(labels, p),
        "brier": sk.brier_score_loss(labels, p),
    }
    for name, value in expected.items():
        metric = evidence.metric(f"performance.{name}")
        assert metric.value == pytest.approx(value, abs=1e-9)
        assert metric.low < metric.value < metric.high  # type: ignore[operator]
        assert metric.n == 250


def test_ten_classes_are_ranked_one_against_the_rest() -> None:
    weight = torch.randn(10, 6, generator=torch.Generator().manual_seed(0)).tolist()
    classifier, rows = linear(weight, rows=300)
    subject = Subject(rows, classifier=classifier, independence="given")
    evidence = measure("performance.accuracy", subject, resamples=100)
    expected = sk.roc_auc_score(rows.labels, subject.probabilities(), multi_class="ovr", average="macro")
    assert evidence.metric("performance.roc_auc").value == pytest.approx(expected, abs=1e-9)


def test_decision_rates_are_those_counted_by_hand(credit_subject: Subject) -> None:
    evidence = measure("performance.decision", credit_subject)
    approved = credit_subject.probabilities()[:, 1] < 0.5
    bad = credit_subject.test.labels.numpy() == 1
    assert evidence.metric("performance.approval_rate").value == pytest.approx(approved.mean())
    assert evidence.metric("performance.bad_rate_among_approved").value == pytest.approx(bad[approved].mean())


def test_unknown_independence_makes_every_score_a_bound_that_no_rule_can_confirm(credit_subject: Subject) -> None:
    subject = replace(credit_subject, independence="unknown", _memory={})
    evidence = measure("performance.accuracy", subject, resamples=50)
    assert {metric.bound for metric in evidence.metrics if metric.better == "higher"} == {"upper"}
    assert {metric.bound for metric in evidence.metrics if metric.better == "lower"} == {"lower"}
    assert evidence.notes == ("performance.independence_unknown",)


def test_a_classifier_that_learned_nothing_is_not_significant_and_a_good_one_is(credit_subject: Subject) -> None:
    good = measure("performance.learning", credit_subject, permutations=500).metric("performance.learned_p_value")
    assert good.value == pytest.approx(1 / 501)
    values = []
    for seed in range(30):
        classifier, rows = linear([[1.0, -1.0], [-1.0, 1.0]], rows=60, seed=seed)
        subject = Subject(rows, classifier=classifier, independence="given")
        values.append(measure("performance.learning", subject, permutations=200).metric("performance.learned_p_value").value)
    # Under the null the p-values are uniform: their mean over 30 lies within 4 standard errors of one half.
    assert abs(np.mean(values) - 0.5) < 4 * np.sqrt(1 / 12 / 30)  # type: ignore[arg-type]


def test_group_rates_and_their_distances_equal_fairlearns(credit_subject: Subject) -> None:
    evidence = measure("fairness.groups", credit_subject, resamples=100, minimum=1)
    rows, probabilities = credit_subject.cross_fitted(SEED.value)
    truth, decided = (rows.labels.numpy() == 0).astype(int), (probabilities[:, 1] < 0.5).astype(int)
    for attribute in rows.protected:
        frame = MetricFrame(
            metrics={"rate": selection_rate, "tpr": true_positive_rate, "accuracy": sk.accuracy_score},
            y_true=truth, y_pred=decided, sensitive_features=rows.groups(attribute),
        )  # fmt: skip
        for group, rate in frame.by_group["rate"].items():
            assert evidence.metric("fairness.approval_rate", attribute=attribute, group=group).value == pytest.approx(rate, abs=1e-9)
        ratio, difference = frame.ratio(), frame.difference()
        assert evidence.metric("fairness.selection_ratio", attribute=attribute).value == pytest.approx(ratio["rate"], abs=1e-9)
        assert evidence.metric("fairness.accuracy_gap", attribute=attribute).value == pytest.approx(difference["accuracy"], abs=1e-9)
        found = evidence.metric("fairness.equal_opportunity_difference", attribute=attribute).value
        assert found == pytest.approx(difference["tpr"], abs=1e-9)


def test_groups_under_the_minimum_are_shown_and_not_compared(credit_subject: Subject) -> None:
    evidence = measure("fairness.groups", credit_subject, resamples=50, minimum=40)
    assert evidence.metric("fairness.approval_rate", attribute="foreign_worker", group="yes").n == 37
    ratio = evidence.metric("fairness.selection_ratio", attribute="foreign_worker")
    assert ratio.value is None
    assert ratio.reason == "fewer than two groups have 40 rows"


def test_a_planted_duplicate_is_counted(credit_subject: Subject) -> None:
    test, training = credit_subject.test, credit_subject.training
    assert training is not None
    assert measure("data.quality", credit_subject).metric("data.duplicates_across_splits").value == 0
    planted = replace(test, inputs=torch.cat([training.inputs[:3], test.inputs[3:]]))
    subject = replace(credit_subject, test=planted, _memory={})
    assert measure("data.quality", subject).metric("data.duplicates_across_splits").value == 3


def test_both_methods_find_the_weights_of_a_linear_classifier() -> None:
    classifier, rows = linear([[0.0, 0.0, 0.0], [2.0, -1.0, 0.0]], rows=30)
    evidence = measure("explanation.attribution", Subject(rows, classifier=classifier, independence="given"), background=10)
    shapley, gradients = (evidence.arrays[name] for name in ("exact_shapley", "integrated_gradients"))
    assert np.abs(shapley - gradients).max() < 1e-5
    assert np.abs(shapley[:, 2]).max() < 1e-6
    assert evidence.metric("explanation.agreement").value == pytest.approx(1, abs=1e-9)
    (waterfall,) = (figure for figure in evidence.figures if figure.kind == "waterfall")
    assert sum(waterfall.series[0].y) == pytest.approx(float(waterfall.words["value"]) - float(waterfall.words["base"]), abs=1e-5)


def test_a_black_box_is_explained_by_permutations_and_not_attacked_by_gradients() -> None:
    classifier, rows = linear([[0.0] * 9, [2.0, -1.0, *[0.5] * 7]], rows=200)
    box = Classifier.wrap(lambda x: classifier.probabilities(x), schema=classifier.schema, classes=classifier.classes)
    subject = Subject(rows, classifier=box, independence="given")
    evidence = measure("explanation.attribution", subject, background=200)
    assert evidence.parameters["methods"] == ["permutation_shap"]
    assert subject.lacks("gradient") == "the classifier is a black box, and this needs gradients"
