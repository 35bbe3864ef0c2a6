"""Data quality: planted faults are counted, and what nobody knows is said to be missing."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import torch

from audit import Evidence, Subject
from audit.check import make_check
from classifier import Dataset
from classifier.seeds import Seed


def measured(subject: Subject) -> Evidence:
    return make_check("data.quality", {}).measure(subject, Seed(0))


def table(rows: int = 60, **columns: list[object]) -> Dataset:
    frame = pd.DataFrame({"x": [i / rows for i in range(rows)], **columns, "y": ["a", "b", "b"] * (rows // 3)})
    return Dataset.from_frame(frame, target="y")


def guessed(rows: Dataset) -> Subject:
    return Subject(rows, predictions=torch.full((len(rows), len(rows.classes)), 1 / len(rows.classes)))


def test_missing_values_and_the_smallest_class_are_counted() -> None:
    evidence = measured(guessed(table(home=[""] * 7 + ["own", "rent"] * 26 + ["own"])))
    assert evidence.metric("data.missing_values").value == 7
    assert evidence.metric("data.smallest_class").value == 20
    assert evidence.metric("data.rows").value == 60
    (features,) = (table for table in evidence.tables if table.name == "features")
    assert {row[0]: row[3] for row in features.rows} == {"x": 0, "home": 7}


def test_rows_that_were_never_a_table_have_no_count_of_missing_values() -> None:
    metric = measured(guessed(replace(table(), cleaning=None))).metric("data.missing_values")
    assert (metric.value, metric.reason) == (None, "the rows were given encoded, not read from a table")


def test_rows_outside_the_bounds_are_counted_once_each(credit_subject: Subject) -> None:
    inputs = credit_subject.test.inputs.clone()
    inputs[3, :4] = 1.5
    inputs[9, 0] = -0.5
    subject = replace(credit_subject, test=replace(credit_subject.test, inputs=inputs), _memory={})
    assert measured(subject).metric("data.rows_outside_bounds").value == 2
    assert measured(credit_subject).metric("data.rows_outside_bounds").value == 0


def test_without_training_data_nobody_knows_whether_test_rows_are_new() -> None:
    metric = measured(guessed(table())).metric("data.duplicates_across_splits")
    assert (metric.value, metric.reason) == (None, "the training data are not known")


def test_every_group_of_every_protected_attribute_is_counted(credit_subject: Subject, german_credit: Dataset) -> None:
    (coverage,) = (table for table in measured(credit_subject).tables if table.name == "coverage")
    for attribute in german_credit.protected:
        counts = pd.Series(german_credit.groups(attribute)).value_counts().to_dict()
        assert {row[1]: row[2] for row in coverage.rows if row[0] == attribute} == counts
