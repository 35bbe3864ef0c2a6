"""What a subject accepts, and what it refuses before anything is measured with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from audit import Decision, Subject
from classifier import Classifier, Dataset
from classifier.errors import ConfigurationError, ModelError


@pytest.fixture
def rows(credit_subject: Subject) -> Dataset:
    return credit_subject.test


def test_a_subject_is_a_classifier_or_predictions_and_not_both(credit_subject: Subject, rows: Dataset) -> None:
    with pytest.raises(ConfigurationError, match="one of the two"):
        Subject(rows)
    with pytest.raises(ConfigurationError, match="one of the two"):
        Subject(rows, classifier=credit_subject.classifier, predictions=torch.full((250, 2), 0.5))


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        (torch.full((249, 2), 0.5), r"shape \(249, 2\), required is \(250, 2\)"),
        (torch.full((250,), 0.5), r"shape \(250,\), required is \(250, 2\)"),
        (torch.full((250, 3), 1 / 3), r"shape \(250, 3\), required is \(250, 2\)"),
        (torch.full((250, 2), 0.7), "are no probabilities"),
        (torch.tensor([[1.5, -0.5]]).repeat(250, 1), "are no probabilities"),
        (torch.full((250, 2), torch.nan), "are no probabilities"),
    ],
)
def test_predictions_that_are_no_probabilities_of_these_rows_are_refused(rows: Dataset, predictions: torch.Tensor, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Subject(rows, predictions=predictions)


def test_a_classifier_of_other_classes_or_other_inputs_is_refused(credit_subject: Subject, rows: Dataset) -> None:
    other = replace(rows, classes=rows.classes[::-1])
    with pytest.raises(ModelError, match="in the same order"):
        Subject(other, classifier=credit_subject.classifier)
    # Fed with scaled inputs, a classifier of natural units would answer, and every number would be wrong.
    natural = replace(rows.schema, encoding="natural")
    classifier = Classifier.wrap(credit_subject.model.module, schema=natural, classes=rows.classes)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="their schemas differ"):
        Subject(rows, classifier=classifier)


def test_a_classifier_whose_answer_is_not_finite_gives_no_number(credit_subject: Subject, rows: Dataset) -> None:
    broken = replace(rows, inputs=rows.inputs.clone().index_fill_(0, torch.tensor([7]), torch.nan))
    with pytest.raises(ModelError, match="not finite"):
        Subject(broken, classifier=credit_subject.classifier).probabilities()


def test_the_threshold_of_least_cost_is_elkans() -> None:
    # Presume the event where p * missed_event >= (1 - p) * false_alarm.
    assert Decision.from_costs(5, 1).threshold == pytest.approx(1 / 6)
    assert Decision.from_costs(1, 1).threshold == 0.5
    for wrong in ((0, 1), (1, -1), (float("nan"), 1)):
        with pytest.raises(ConfigurationError, match="costs must be above 0"):
            Decision.from_costs(*wrong)
    with pytest.raises(ConfigurationError, match="between 0 and 1, got 1"):
        Decision(1.0)


def test_what_was_computed_once_is_remembered(credit_subject: Subject) -> None:
    assert credit_subject.probabilities() is credit_subject.probabilities()
    assert credit_subject.cross_fitted(0)[1] is credit_subject.cross_fitted(0)[1]


def test_predictions_tell_of_the_rows_only(credit_subject: Subject, rows: Dataset) -> None:
    subject = Subject(rows, predictions=torch.full((250, 2), 0.5), training=credit_subject.training)
    assert subject.probabilities().shape == (250, 2)
    with pytest.raises(ModelError, match="test rows only"):
        subject.probabilities(credit_subject.training)
