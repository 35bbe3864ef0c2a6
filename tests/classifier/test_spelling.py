"""How a value is written decides what it is, once for a whole table and for every table that is encoded later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from classifier import Dataset, Feature, Schema
from classifier.cleaning import tidy
from classifier.errors import DataError
from classifier.spelling import named, spelled, taken_for

LARGE = [2**53 + i for i in range(3)]


def table(column: Any, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"amount": np.arange(60) * 7 % 31, "column": column, "target": ["no", "yes"] * 30, **columns})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([" a ", "NA", None, "1.0"], ["a", None, None, "1.0"]),
        ([1.0, 2.5, np.nan, -0.0], ["1", "2.5", None, "0"]),
        (LARGE, ["9007199254740992", "9007199254740993", "9007199254740994"]),
        (pd.array([2**53 + 1, None], dtype="Int64"), ["9007199254740993", None]),
        ([True, False], ["True", "False"]),
        ([10**30, "x"], ["1" + 30 * "0", "x"]),
    ],
)
def test_a_value_is_spelled_as_it_is_written(values: Any, text: list[str | None]) -> None:
    assert spelled(pd.Series(values)).tolist() == text


@pytest.mark.parametrize(
    ("values", "taken", "exact"),
    [
        (["1", "2.5", "?"], "number", "number"),
        (["1", "x"], "text", "text"),
        (["TRUE", "false", None], "truth", "truth"),
        ([True, False], "truth", "truth"),
        (["07", "8"], "number", "text"),
        (LARGE, "number", "text"),
        (list(map(str, LARGE)), "number", "text"),
        (["0", "0.5", "-0.25"], "number", "number"),
        ([None, ""], "text", "text"),
    ],
)
def test_a_column_is_taken_for_numbers_truths_or_text(values: Any, taken: str, exact: str) -> None:
    assert taken_for(pd.Series(values)) == taken
    assert taken_for(pd.Series(values), exact=True) == exact


def test_a_part_is_taken_for_what_the_table_is() -> None:
    assert tidy(pd.Series(["10.0", "11"]), taken="text").tolist() == ["10.0", "11"]
    assert tidy(pd.Series(["10.0", None]), taken="number").tolist()[0] == 10.0


def test_names_are_found_however_a_value_is_written() -> None:
    assert named(pd.Series([True, "false", "maybe"], dtype=object), ("no", "yes")).tolist() == ["yes", "no", "maybe"]
    assert named(pd.Series([True, False]), ("True", "False")).tolist() == ["True", "False"]
    assert named(pd.Series(["1.0", "01", "2"]), ("1", "2"), numbers=True).tolist() == ["1", "01", "2"]


@pytest.mark.parametrize(
    ("values", "categories"),
    [
        (["7", "07", "8"], ("07", "7", "8")),
        (["1e3", "1000", "2"], ("1000", "1e3", "2")),
        (LARGE, ("9007199254740992", "9007199254740993", "9007199254740994")),
        ([1.0, 2.0, 3.0], ("1", "2", "3")),
    ],
)
def test_codes_stay_apart_where_they_are_stated_to_be_categories(values: list[Any], categories: tuple[str, ...]) -> None:
    data = Dataset.from_frame(table(values * 20), target="target", features={"column": {"kind": "categorical"}})
    assert data.schema["column"].categories == categories
    assert data.schema.encode(table(values * 20)).equal(data.inputs)


@pytest.mark.parametrize("values", [["07", "7", "8"], LARGE, [*map(str, LARGE)]])
def test_classes_and_identifiers_stay_apart(values: list[Any]) -> None:
    frame = table(values * 20)
    assert len(Dataset.from_frame(frame, target="column").classes) == 3
    for options in ({"drop": ["column"]}, {"protected": ["column"]}):
        data = Dataset.from_frame(frame, target="target", **options)
        assert data.column("column").tolist() == [str(value) for value in values * 20]
    assert set(Dataset.from_frame(frame, target="target", protected=["column"]).groups("column")) == set(map(str, values))


def test_a_test_file_is_read_as_the_training_file_was(tmp_path: Path) -> None:
    for name, codes in (("train", ["01", "02", "A"] * 40), ("test", ["01", "02"] * 30)):
        lines = [f"{i % 37},{code},{codes[(5 * i + 1) % len(codes)]}" for i, code in enumerate(codes)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["amount,code,class", *lines]) + "\n")
    train = Dataset.read(tmp_path / "train.csv", target="class")
    test = Dataset.read(tmp_path / "test.csv", target="class", schema=train.schema, classes=train.classes)
    assert (train.classes, train.schema["code"].categories) == (("01", "02", "A"), ("01", "02", "A"))
    assert test.frame()["code"].tolist() == ["01", "02"] * 30
    assert set(test.labels.tolist()) == {0, 1}


@pytest.mark.parametrize("target", [["1", "0"] * 30, ["1.0", "0.0"] * 30, [1.0, 0.0] * 30, [1, 0] * 30])
def test_classes_that_are_numbers_are_found_however_they_are_written(target: list[Any]) -> None:
    data = Dataset.from_frame(table(["a", "b", "c"] * 20).assign(target=target), target="target", classes=("0", "1"))
    assert data.labels[:2].tolist() == [1, 0]


def test_true_and_false_are_yes_and_no_in_every_format(tmp_path: Path) -> None:
    frame = table([True, False, True] * 20)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    made = [
        Dataset.from_frame(frame, target="target"),
        *(Dataset.read(tmp_path / name, target="target") for name in ("t.csv", "t.parquet")),
    ]
    assert {data.schema["column"].categories for data in made} == {("no", "yes")}
    for data in made:
        assert data.schema.encode(frame).equal(data.inputs)
        assert data.schema.encode(pd.read_csv(tmp_path / "t.csv", dtype=str)).equal(data.inputs)
    assert Dataset.read(tmp_path / "t.csv", target="column", event="True").classes == ("no", "yes")
    stated = Dataset.from_frame(frame, target="target", features={"column": {"categories": ["False", "True"]}})
    assert stated.frame()["column"].tolist() == ["True", "False", "True"] * 20


def test_a_schema_takes_the_very_table_it_was_made_of() -> None:
    frame = table([" p ", "q", "NA"] * 20, number=["1", " 2.5", "?"] * 20, flag=pd.Series([True, None, False] * 20, dtype=object))
    data = Dataset.from_frame(frame, target="target")
    assert data.schema.encode(frame).equal(data.inputs)


@pytest.mark.parametrize(
    ("feature", "value", "message"),
    [
        (Feature("column", "integer", 0, 9), 1.5, "must hold a whole number, got 1.5 in row 3"),
        (Feature("column", "binary", 0, 1), 2, "must hold 0 or 1, got 2 in row 3"),
        (Feature("column", "binary", 1, 3), 2, "must hold 1 or 3, got 2 in row 3"),
        (Feature("column", "binary"), 0.5, "must hold 0 or 1, got 0.5 in row 3"),
        (Feature("column", "continuous"), 1e300, "must hold numbers that are finite in 32 bits, got '1e.300' in row 3"),
    ],
)
def test_a_value_that_a_feature_cannot_have_is_refused(feature: Feature, value: float, message: str) -> None:
    frame = pd.DataFrame({"column": [1.0, 1.0, 1.0, value]})
    with pytest.raises(DataError, match=rf"column 'column' {message}"):
        Schema("tabular", (feature,), encoding="natural").encode(frame)
