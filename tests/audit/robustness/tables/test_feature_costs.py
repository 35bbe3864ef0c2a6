"""The check of single features: a planted dependence moves its numbers, decisions that nothing turns do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from audit import Subject
from audit.check import make_check
from audit.evidence import Evidence
from audit.subject import Decision
from classifier import Classifier, Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed

SHARE, CHANGE = "robustness.single_feature_share", "robustness.single_feature_change"


@pytest.fixture(scope="module")
def loans() -> Dataset:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "months": generator.integers(1, 61, 400),
            "income": generator.uniform(0, 5000, 400).round(2),
            "purpose": generator.choice(["car", "house", "school"], 400),
            "risk": generator.choice(["good", "bad"], 400),
        }
    )
    frame.loc[:2, "months"] = [1, 60, 30]
    return Dataset.from_frame(frame, target="risk", event="bad", favourable="good")


def decided_by(loans: Dataset, weights: dict[str, float], bias: float) -> Subject:
    module = nn.Linear(len(loans.schema.columns), 1)
    module.weight.data.zero_()
    for name, weight in weights.items():
        module.weight.data[0, loans.schema.groups[name].start] = weight
    module.bias.data[:] = bias
    classifier = Classifier.wrap(module, schema=loans.schema, classes=loans.classes)
    return Subject(loans, classifier=classifier, decision=Decision(0.5))


def measured(subject: Subject, **options: int) -> Evidence:
    return make_check("robustness.feature_costs", options).measure(subject, Seed(0))


def test_a_decision_that_hangs_on_one_feature_is_turned_by_it_alone_and_by_no_other(loans: Dataset) -> None:
    evidence = measured(decided_by(loans, {"months": 59.0}, -29.5 + 0.25))
    months = loans.schema.decode(loans.inputs)["months"].to_numpy()
    against = months[months >= 31]
    share = evidence.metric(SHARE, feature="months")
    assert (share.value, share.n, share.bound) == (1.0, len(against), "estimate")
    assert evidence.metric(SHARE, feature="income").value == 0
    assert evidence.metric(SHARE, feature="purpose").value == 0
    assert evidence.metric(SHARE, features="any").value == 1
    least = evidence.metric(CHANGE, feature="months")
    assert least.value is not None
    # Good ends at 30 months.
    assert abs(least.value - np.median(against - 30)) <= 1
    assert least.low is not None
    assert least.high is not None
    assert least.low <= least.value <= least.high
    missing = evidence.metric(CHANGE, feature="income")
    assert missing.value is None
    assert "0 of" in str(missing.reason)
    (example,) = [table for table in evidence.tables if table.name == "example"]
    assert example.single
    assert [row[0] for row in example.rows] == ["(class)", "months"]
    assert (example.rows[1][2], example.rows[1][4]) == ("30", "good")


def test_decisions_that_no_single_feature_turns_are_counted_as_such(loans: Dataset) -> None:
    evidence = measured(decided_by(loans, {"months": 1.0}, 5.0))
    assert all(metric.value == 0 for metric in evidence.metrics if metric.name == SHARE)
    assert all(metric.value is None for metric in evidence.metrics if metric.name == CHANGE)
    assert not evidence.figures
    assert [table.name for table in evidence.tables] == ["by_feature"]


def test_only_those_decided_against_are_looked_at_by_the_threshold_of_the_decision(loans: Dataset) -> None:
    subject = decided_by(loans, {"months": 5.0}, -2.5)
    for threshold in (0.3, 0.7):
        subject.decision = Decision(threshold)
        against = subject.presumed(subject.probabilities()) == 1
        evidence = measured(subject)
        assert evidence.parameters["rows"] == against.sum()
        assert set(evidence.arrays["ids"]) == set(loans.ids[against])
        assert evidence.arrays["change"].shape == (against.sum(), 3)


def test_the_rows_are_a_sample_where_there_are_more_than_the_limit(loans: Dataset) -> None:
    evidence = measured(decided_by(loans, {"months": 59.0}, -29.25), limit=20, values=8)
    assert evidence.metric(SHARE, feature="months").n == 20
    assert evidence.metric(SHARE, feature="months").bound == "lower"
    assert evidence.metric(CHANGE, feature="months").bound == "upper"


def test_where_nobody_is_decided_against_there_is_nothing_to_turn(loans: Dataset) -> None:
    with pytest.raises(NotApplicableError, match="no valid test row is decided as bad"):
        measured(decided_by(loans, {"months": 1.0}, -9.0))


def test_impossible_options_are_refused() -> None:
    for name in ("limit", "values", "shown"):
        with pytest.raises(ConfigurationError):
            make_check("robustness.feature_costs", {name: 0})


def test_german_credit_is_told_in_natural_units(credit_subject: Subject) -> None:
    evidence = measured(credit_subject, limit=40)
    table = next(table for table in evidence.tables if table.name == "by_feature")
    assert table.columns == ("feature", "rows", "share", "change", "unit")
    assert len(table.rows) == sum(feature.mutable for feature in credit_subject.test.schema.features)
    assert torch.tensor([row[1] for row in table.rows]).diff().le(0).all()  # type: ignore[list-item]
