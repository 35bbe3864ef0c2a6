"""Confident learning, on labels whose errors are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import Subject
from audit.check import make_check
from audit.data.label_errors import disagreement, disagreement_rate, find_label_errors
from audit.data.label_noise import noise_rate
from classifier import Dataset
from classifier.errors import DataError, NotApplicableError
from classifier.seeds import Seed
from trainer import Recipe, train


def planted(classes: int, rate: float, *, rows: int = 1200, seed: int = 0) -> tuple[np.ndarray, ...]:  # type: ignore[type-arg]
    """Probabilities of a good classifier, labels of which a share is wrong, and which those are."""
    generator = np.random.default_rng(seed)
    truth = np.arange(rows) % classes
    logits = generator.normal(0, 1, (rows, classes)) + 4 * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = generator.permutation(rows) < round(rate * rows)
    labels = np.where(wrong, (truth + generator.integers(1, classes, rows)) % classes, truth)
    return probabilities, labels, wrong


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_planted_errors_are_found_and_few_others_are_suspected(classes: int) -> None:
    probabilities, labels, wrong = planted(classes, 0.1)
    found = find_label_errors(probabilities, labels)
    hits = (found.suspected & wrong).sum()
    assert hits / wrong.sum() > 0.75
    assert hits / found.suspected.sum() > 0.8
    rate = disagreement_rate("data.label_disagreement", probabilities, labels, Seed(0), resamples=200)
    assert rate.low is not None
    assert rate.high is not None
    assert 0.08 < rate.low < rate.high < 0.16
    assert rate.value == pytest.approx(1 - np.trace(found.joint) / len(labels))


def test_clean_labels_leave_few_suspects() -> None:
    probabilities, labels, _ = planted(4, 0.0)
    assert find_label_errors(probabilities, labels).suspected.mean() < 0.01


def test_the_confident_joint_is_that_of_a_count_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.95, 0.05]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    found = find_label_errors(probabilities, labels)
    assert found.thresholds == pytest.approx([0.6, 0.55])
    assert found.joint == pytest.approx(np.array([[2.0, 1.0], [1.0, 2.0]]))
    assert found.ranked.tolist() == [5, 2]
    assert found.margin[[2, 5]] == pytest.approx([-0.6, -0.9])


@given(seed=st.integers(0, 50), classes=st.integers(2, 4))
@settings(max_examples=20, deadline=None)
def test_joint_and_pruning_are_those_of_a_plain_loop_over_the_definition(seed: int, classes: int) -> None:
    probabilities, labels, _ = planted(classes, 0.3, rows=40, seed=seed)
    thresholds = [np.mean([p[k] for p, y in zip(probabilities, labels, strict=True) if y == k]) for k in range(classes)]
    joint = np.zeros((classes, classes))
    for p, y in zip(probabilities, labels, strict=True):
        above = [k for k in range(classes) if p[k] >= thresholds[k] - 1e-12]
        if above:
            joint[y, max(above, key=lambda k: p[k])] += 1
    for k in range(classes):
        joint[k] = joint[k] / joint[k].sum() * (labels == k).sum() if joint[k].sum() else np.eye(classes)[k] * (labels == k).sum()
    suspected = set()
    for k in range(classes):
        members = [row for row in range(40) if labels[row] == k]
        least = sorted(members, key=lambda row: probabilities[row, k])[: round(joint[k].sum() - joint[k, k])]
        for j in set(range(classes)) - {k}:
            far = sorted(members, key=lambda row: probabilities[row, k] - probabilities[row, j])[: round(joint[k, j])]
            suspected |= {row for row in far if row in least and probabilities[row].argmax() != k}
    found = find_label_errors(probabilities, labels)
    assert found.joint == pytest.approx(joint)
    assert set(found.ranked.tolist()) == suspected


def overlapping(signal: float, sureness: float, turned: float, seed: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """What a classifier says of two classes that overlap, its logits times `sureness`, and labels of which a share is turned."""
    generator = np.random.default_rng(seed)
    logits = signal * generator.standard_normal(2000) - 1
    labels = generator.random(2000) < 1 / (1 + np.exp(-logits))
    event = 1 / (1 + np.exp(-sureness * logits))
    return np.stack([1 - event, event], 1), np.where(generator.random(2000) < turned, ~labels, labels).astype(np.int64)


@pytest.mark.parametrize("sureness", [0.4, 1.0, 3.0])
def test_hard_cases_and_a_wrong_sureness_are_no_noise_though_many_labels_disagree(sureness: float) -> None:
    called = []
    for seed in range(10):
        probabilities, labels = overlapping(1.0, sureness, 0.0, seed)
        assert disagreement(probabilities, labels) > 0.15
        called.append(noise_rate("data.label_noise", probabilities, labels).value is not None)
    assert sum(called) <= 2


@pytest.mark.parametrize("sureness", [0.4, 1.0, 3.0])
def test_turned_labels_are_counted_beyond_the_hard_cases(sureness: float) -> None:
    held = []
    for seed in range(10):
        noise = noise_rate("data.label_noise", *overlapping(6.0, sureness, 0.1, seed))
        assert noise.low is not None
        assert noise.high is not None
        held.append(noise.low <= 0.1 <= noise.high)
    assert sum(held) >= 8


def test_a_classifier_that_is_right_no_more_often_than_the_commonest_class_tells_no_noise() -> None:
    labels = np.arange(1000) % 10 < 3
    generator = np.random.default_rng(0)
    # It tells the classes apart somewhat, and takes far too many rows for the rarer one.
    event = 1 / (1 + np.exp(-(0.5 + 0.6 * labels + generator.standard_normal(1000))))
    noise = noise_rate("data.label_noise", np.stack([1 - event, event], 1), labels.astype(np.int64))
    assert noise.reason is not None
    assert "naming the commonest class alone decides 700" in noise.reason


def test_asymmetric_noise_stands_in_the_cell_of_its_pair() -> None:
    probabilities, truth, _ = planted(3, 0.0)
    labels = truth.copy()
    flipped = np.flatnonzero(truth == 2)[:100]
    labels[flipped] = 0
    joint = find_label_errors(probabilities, labels).joint
    # Only confident rows count, so that the estimate falls somewhat short.
    assert 80 < joint[0, 2] <= 100
    assert (joint - np.diag(np.diag(joint)))[np.arange(3) != 0].sum() < 12


@given(seed=st.integers(0, 50), classes=st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_names_of_classes_and_order_of_rows_change_nothing(seed: int, classes: int) -> None:
    probabilities, labels, _ = planted(classes, 0.2, rows=60, seed=seed)
    found = find_label_errors(probabilities, labels)
    generator = np.random.default_rng(seed)
    renamed, order = generator.permutation(classes), generator.permutation(60)
    again = find_label_errors(probabilities[:, np.argsort(renamed)][order], renamed[labels][order])
    assert (again.suspected == found.suspected[order]).all()
    assert again.joint[np.ix_(renamed, renamed)] == pytest.approx(found.joint)
    assert found.joint.sum(1) == pytest.approx(np.bincount(labels, minlength=classes))


def test_a_class_without_rows_and_one_row_alone_are_no_obstacle() -> None:
    found = find_label_errors(np.array([[0.1, 0.2, 0.7]]), np.array([2]))
    assert not found.suspected.any()
    assert found.joint.sum() == 1


@pytest.mark.parametrize(
    ("probabilities", "labels", "said"),
    [
        (np.ones((0, 2)), np.zeros(0, dtype=np.int64), "need probabilities"),
        (np.ones((2, 2)), np.array([0, 2]), "labels must lie in 0 to 1, got 0 to 2"),
        (np.full((1, 2), np.nan), np.array([0]), "not all finite"),
    ],
    ids=["no rows", "no such class", "not finite"],
)
def test_what_cannot_be_judged_is_refused(probabilities: np.ndarray, labels: np.ndarray, said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(DataError, match=said):
        find_label_errors(probabilities, labels)


@pytest.fixture(scope="module")
def breast_cancer() -> Dataset:
    return Dataset.builtin("breast-cancer")


@pytest.mark.parametrize("flips", [0, 57])
def test_the_check_names_flipped_rows_of_a_real_table_and_few_where_none_was_flipped(breast_cancer: Dataset, flips: int) -> None:
    labels = breast_cancer.labels.clone()
    chosen = np.random.default_rng(1).permutation(len(labels))[:flips]
    labels[chosen] = 1 - labels[chosen]
    splits = replace(breast_cancer, labels=labels).split(seed=0)
    recipe = Recipe("logistic", epochs=20, learning_rate=0.05)
    classifier = train(splits, recipe, progress=False)
    subject = Subject(splits.test, classifier=classifier, training=splits.train, validation=splits.validation, recipe=recipe)
    evidence = make_check("data.label_errors", {"resamples": 100}).measure(subject, Seed(0, ("data.label_errors",)))
    suspected = set(evidence.arrays["ids"][evidence.arrays["suspected"]].tolist())
    truly = set(breast_cancer.ids[chosen].tolist())
    noise, apart = evidence.metric("data.label_noise"), evidence.metric("data.label_disagreement")
    assert apart.low is not None
    assert apart.high is not None
    if flips:
        assert noise.low is not None
        assert noise.high is not None
        assert noise.bound == "lower"
        assert noise.low < 0.1 < noise.high
        assert apart.low > 0.06
        assert len(suspected & truly) > 0.75 * flips
        assert len(suspected & truly) > 0.75 * len(suspected)
        table = next(table for table in evidence.tables if table.name == "suspects")
        assert table.single
        assert len(table.rows) == 20
    else:
        assert len(suspected) < 0.04 * len(labels)
        assert apart.high < 0.08
        assert noise.reason is not None
        assert noise.reason.startswith("not to be told from hard cases")


def subject_of(data: Dataset) -> Subject:
    splits, recipe = data.split(seed=0), Recipe("logistic", epochs=1)
    classifier = train(splits, recipe, progress=False)
    return Subject(splits.test, classifier=classifier, training=splits.train, validation=splits.validation, recipe=recipe)


@pytest.mark.parametrize("constant", [True, False])
def test_classifiers_that_tell_no_class_from_the_others_judge_no_label(
    constant: bool, breast_cancer: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = np.random.default_rng(0).dirichlet([1, 1], len(breast_cancer))
    probabilities = np.tile([0.4, 0.6], (len(breast_cancer), 1)) if constant else drawn
    monkeypatch.setattr(Subject, "cross_fitted", lambda _subject, _seed: (breast_cancer, probabilities))
    with pytest.raises(NotApplicableError, match="tell no class from the others"):
        make_check("data.label_errors", {}).measure(subject_of(breast_cancer), Seed(0))


def test_the_quick_profile_trains_nothing_and_takes_what_is_there(breast_cancer: Dataset) -> None:
    subject = subject_of(breast_cancer)
    check = make_check("data.label_errors", {"resamples": 20}, profile="quick")
    with pytest.raises(NotApplicableError, match="five more classifiers would have to be trained"):
        check.measure(subject, Seed(0))
    subject.cross_fitted(0)
    assert check.measure(subject, Seed(0)).metric("data.label_disagreement").value is not None
