"""What a raw table is taken for, what is said of it, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from classifier import Dataset, Feature
from classifier.errors import ConfigurationError, DataError

ROWS = 60


def dataset(column: Any = None, *, target: Any = ("no", "yes") * 30, **options: Any) -> Dataset:
    """Sixty rows with a plain number, the column in question and a target."""
    frame = pd.DataFrame({"amount": np.arange(ROWS) * 7 % 31})
    if column is not None:
        frame["column"] = column
    return Dataset.from_frame(frame.assign(target=list(target)), **{"target": "target", **options})


def feature(column: Any, **options: Any) -> Feature:
    return dataset(column, **options).schema["column"]


@pytest.mark.parametrize(
    ("values", "kind", "low", "high", "categories"),
    [
        ([1, 2, 3], "integer", 1.0, 3.0, ()),
        (["1", "2.5", "3"], "continuous", 1.0, 3.0, ()),
        ([1, 2], "binary", 1.0, 2.0, ()),
        ([0.25, 0.75], "continuous", 0.25, 0.75, ()),
        ([True, False], "binary", None, None, ("no", "yes")),
        (["b", "a"], "binary", None, None, ("a", "b")),
        ([" b", "a", "c "], "categorical", None, None, ("a", "b", "c")),
        (pd.Categorical(["b", "a", "c"]), "categorical", None, None, ("a", "b", "c")),
        (pd.array([4, 5, 6], dtype="Int64"), "integer", 4.0, 6.0, ()),
    ],
)
def test_a_column_is_taken_for_what_it_is(
    values: Any, kind: str, low: float | None, high: float | None, categories: tuple[str, ...]
) -> None:
    repeated = pd.concat([pd.Series(values)] * (ROWS // len(values)), ignore_index=True)
    found = feature(repeated)
    assert (found.kind, found.low, found.high, found.categories, found.fill) == (kind, low, high, categories, None)


def test_a_missing_number_takes_the_lower_median() -> None:
    found = dataset([1, 2, 3, 4, None] * 12)
    assert found.schema["column"].fill == 2.0
    assert found.column("column")[4] == 2.0
    assert found.cleaning is not None
    assert found.cleaning.missing == {"column": 12}
    assert found.cleaning.filled == {"column": "2.0"}
    assert feature([0, 1, 1, None] * 15).fill == 1.0


@pytest.mark.parametrize("gap", [None, "", "NA", "?", " null "])
def test_a_missing_category_is_one_of_its_own(gap: str | None) -> None:
    found = dataset(["a", "b", gap] * 20)
    assert found.schema["column"].categories == ("a", "b", "(missing)")
    assert found.column("column")[:3].tolist() == ["a", "b", "(missing)"]


def test_a_stated_fill_is_taken() -> None:
    found = feature(["a", "b", None] * 20, features={"column": {"fill": "b"}})
    assert (found.kind, found.categories, found.fill) == ("binary", ("a", "b"), "b")
    assert feature([1.5, 2, None] * 20, features={"column": {"fill": 0.0, "low": 0.0}}).fill == 0.0


@pytest.mark.parametrize("values", [[7] * ROWS, ["same"] * ROWS, [None] * ROWS, [7, None] * 30, ["", "NA"] * 30])
def test_a_constant_column_is_left_out(values: list[Any]) -> None:
    found = dataset(values)
    assert found.schema.names == ("amount",)
    assert found.cleaning is not None
    assert found.cleaning.constant == ("column",)


def test_a_category_that_is_sometimes_missing_is_not_constant() -> None:
    assert feature(["same", None] * 30).categories == ("same", "(missing)")


def test_codes_are_categories_where_that_is_stated() -> None:
    found = dataset([1234567, 1234568, 1234569] * 20, features={"column": {"kind": "categorical"}})
    assert found.schema["column"].categories == ("1234567", "1234568", "1234569")
    assert found.inputs[0].tolist()[1:] == [1.0, 0.0, 0.0]
    gaps = feature([1, 2, None] * 20, features={"column": {"kind": "categorical"}})
    assert gaps.categories == ("1", "2", "(missing)")


def test_a_protected_code_is_its_own_group_where_that_is_stated() -> None:
    codes = [1, 2, 3, 4, 5] * 12
    stated = dataset(codes, protected=["column"], features={"column": {"kind": "categorical"}})
    assert sorted(set(stated.groups("column"))) == ["1", "2", "3", "4", "5"]


def test_duplicates_are_counted_and_kept() -> None:
    # `amount` repeats every 31 rows, and the target differs between the odd and the even ones.
    found = dataset(target=["no"] * 31 + ["no"] * 9 + ["yes"] * 20)
    assert found.cleaning is not None
    assert found.cleaning.duplicates == 9
    assert len(found) == ROWS


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    found = dataset(target=["no", "yes", None] * 20)
    assert found.cleaning is not None
    assert (found.cleaning.rows_read, found.cleaning.rows_without_target) == (60, 20)
    assert found.ids.tolist() == [row for row in range(ROWS) if row % 3 != 2]


def test_a_row_number_is_noted() -> None:
    cleaning = dataset(np.arange(100, 160)).cleaning
    assert cleaning is not None
    assert cleaning.notes == ("column only counts the rows; put it under drop",)


def test_a_clean_table_is_not_noted() -> None:
    cleaning = dataset(np.arange(60) * 3 % 17).cleaning
    assert cleaning is not None
    assert (cleaning.notes, cleaning.missing, cleaning.constant) == ((), {}, ())


REFUSED: dict[str, tuple[Any, str]] = {
    "dates": ([f"2026-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(ROWS)], r"holds dates .*time = \"column\""),
    "timestamps": (pd.date_range("2026-01-01", periods=ROWS), r"holds dates .*put \"column\" under drop"),
    "identifiers": ([f"customer-{i:04d}" for i in range(ROWS)], r"holds an identifier \(60 different values, such as 'customer-0000'\)"),
    "free text": ([f"letter number {i} of the customer" for i in range(ROWS)], r"holds free text .*put \"column\" under drop"),
    "mixed types": ([*map(str, range(59)), "fifty-nine"], r"holds numbers mixed with text .*correct 'fifty-nine' in row 59"),
    "few dates": ([f"2026-01-{1 + i % 9:02d}" for i in range(ROWS)], r"holds dates .*state kind = \"categorical\" where"),
    "months": ([f"2026-{1 + i % 9:02d}" for i in range(ROWS)], r"holds dates \(9 different values, such as '2026-01'\)"),
    "days of Europe": ([f"{1 + i % 9:02d}.03.2024" for i in range(ROWS)], r"holds dates \(9 different"),
    "few timestamps": (pd.to_datetime([f"2026-01-{1 + i % 9:02d}" for i in range(ROWS)]), r"holds dates \(9 different"),
    "durations": (pd.to_timedelta(np.arange(ROWS) % 7, unit="D"), r"holds durations .*give them as numbers"),
    "few mixed types": (
        [*(str(i % 9) for i in range(59)), "abc"],
        r"holds numbers mixed with text .*correct 'abc' in row 59, or state kind",
    ),
    "decimal commas": ([f"{i % 9},5" for i in range(ROWS)], r"holds numbers that are not written as such .*write 1234.5"),
    "per cent": ([f"{i % 9}%" for i in range(ROWS)], r"holds numbers that are not written as such .*such as '0%'"),
    "thousands": ([f"1,{i % 9:03d}" for i in range(ROWS)], r"holds numbers that are not written as such"),
    "few identifiers": ([f"p{i}" if i < 30 else None for i in range(ROWS)], r"holds an identifier \(30 different values"),
    "few names": ([f"John Smith {i}" if i < 30 else None for i in range(ROWS)], r"holds free text \(30 different values"),
    "lists": ([[i % 2] for i in range(ROWS)], r"holds several values in one cell, '\[0\]' in row 0"),
    "infinity": ([1.5] * 59 + [np.inf], r"has the non-finite value inf in row 59; correct it, or leave it empty"),
    "infinity as text": (["1.5"] * 59 + ["-inf"], r"has the non-finite value -inf in row 59"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_column_that_is_no_input_is_refused_with_a_remedy(name: str) -> None:
    values, message = REFUSED[name]
    with pytest.raises(DataError, match=f"'column' {message}"):
        dataset(values)
    assert dataset(values, drop=["column"]).schema.names == ("amount",)


@pytest.mark.parametrize("name", ["few dates", "few mixed types", "decimal commas", "few identifiers"])
def test_what_is_stated_to_be_categories_is_kept(name: str) -> None:
    values = REFUSED[name][0]
    assert set(feature(values, features={"column": {"kind": "categorical"}}).categories) - {"(missing)"} == set(values) - {None}


def test_ranges_and_codes_beside_text_are_categories() -> None:
    assert feature(["1", "1", "1", "2 or 3", "4 or 5", ">= 6"] * 10).kind == "categorical"
    assert feature(["01", "02", "A"] * 20).categories == ("01", "02", "A")


def test_stated_codes_may_be_many() -> None:
    frame = pd.DataFrame({"zip": np.arange(2200) % 1100 + 10_000, "target": ["no", "yes"] * 1100})
    stated = {"zip": {"kind": "categorical"}}
    assert Dataset.from_frame(frame[frame["zip"] < 10_080], target="target", features=stated).schema["zip"].width == 80
    with pytest.raises(DataError, match="'zip' is stated as categorical but has 1100 different values, at most 1000 can be"):
        Dataset.from_frame(frame, target="target", features=stated)
    listed = {"zip": {"categories": [*range(10_000, 10_100), "(other)"], "unknown": "(other)"}}
    assert Dataset.from_frame(frame, target="target", features=listed).schema["zip"].width == 101


def test_a_gap_joins_the_stated_categories() -> None:
    stated: dict[str, Any] = {"column": {"categories": ["a", "b"]}}
    found = feature(["a", "b", None] * 20, features=stated)
    assert (found.kind, found.categories, found.fill) == ("categorical", ("a", "b", "(missing)"), "(missing)")
    assert feature(["a", "(missing)", None] * 20).categories == ("(missing)", "a")
    with pytest.raises(DataError, match="'column' is stated as binary but lacks 20 of 60 values; state fill"):
        feature(["a", "b", None] * 20, features={"column": {"kind": "binary"}})


def test_rows_without_a_label_decide_nothing() -> None:
    found = dataset([*[1, 2, 3] * 19, "abc", 99, None], target=[*["no", "yes", "no"] * 19, None, None, None])
    column = found.schema["column"]
    assert (column.kind, column.high, column.fill) == ("integer", 3.0, None)


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="'column' holds complex numbers"):
        dataset(np.arange(ROWS) * 1j)


def test_what_is_stated_of_a_feature_must_fit() -> None:
    with pytest.raises(ConfigurationError, match=r"no field 'lows'; did you mean 'low'\?"):
        feature([1, 2, 3] * 20, features={"column": {"lows": 0}})
    with pytest.raises(DataError, match="stated as continuous but holds 'two' in row 1"):
        feature(["1", "two", "3"] * 20, features={"column": {"kind": "continuous"}})
    with pytest.raises(ConfigurationError, match="kind of feature 'column' is 'number'"):
        feature([1, 2, 3] * 20, features={"column": {"kind": "number"}})
    assert feature([1, 2, 3] * 20, features={"column": {"low": 0.0, "unit": "years"}}).unit == "years"
    with pytest.raises(DataError, match=r"'column' is stated as integer but holds 2\.5 in row 1"):
        feature([1, 2.5, 3] * 20, features={"column": {"kind": "integer"}})
    with pytest.raises(DataError, match="'column' is stated as binary but holds 3 different values"):
        feature([0, 1, 2] * 20, features={"column": {"kind": "binary"}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": {"column": 5}}, "what is stated of feature 'column' must be its fields, got 5"),
        ({"features": {"column": {"name": "z"}}}, "'column' has no field 'name'"),
        ({"features": {"column": {"lows": 1}}, "drop": ["column"]}, r"'column' has no field 'lows'; did you mean 'low'"),
        ({"features": {"column": {"categories": "abc"}}}, "categories of feature 'column' must be a list, got 'abc'"),
        ({"classes": ["no", "yes", "no"]}, "classes must have different names, got 'no' twice"),
        ({"classes": "no"}, "classes must be a list of names, got 'no'"),
        ({"protected": ["column"], "cuts": {"column": ["x"]}}, r"the cuts of 'column' must be numbers, got \['x'\]"),
        ({"protected": "column"}, r"protected must be a list of columns, got 'column'; protected = \[\"column\"\]"),
        ({"drop": "column"}, "drop must be a list of columns"),
    ],
)
def test_an_option_of_the_wrong_form_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        dataset([1, 2, 3] * 20, **options)


def test_columns_must_have_names_of_one_level() -> None:
    frame = pd.DataFrame([[1, "no"], [2, "yes"]] * 30, columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    with pytest.raises(DataError, match="of 2 levels, required is one"):
        Dataset.from_frame(frame, target="y")


def test_an_unseen_category_is_refused_or_takes_the_stated_one() -> None:
    seen = pd.DataFrame({"home": ["own", "rent", "free"] * 20, "amount": range(60), "target": ["no", "yes"] * 30})
    unseen = seen.assign(home=["own", "tent", "rent"] * 20)
    refusing = Dataset.from_frame(seen, target="target").schema
    with pytest.raises(DataError, match="column 'home' has the unknown category 'tent' in row 1"):
        refusing.encode(unseen)
    taking = Dataset.from_frame(seen, target="target", features={"home": {"unknown": "(unknown)"}}).schema
    assert taking["home"].categories == ("free", "own", "rent", "(unknown)")
    assert taking.decode(taking.encode(unseen))["home"].tolist() == ["own", "(unknown)", "rent"] * 20
    # A category that there is may stand for the others too.
    other = Dataset.from_frame(seen, target="target", features={"home": {"unknown": "rent"}}).schema
    assert other["home"].categories == ("free", "own", "rent")
    assert other.decode(other.encode(unseen))["home"].tolist() == ["own", "rent", "rent"] * 20


def test_one_of_two_values_that_may_be_unknown_is_a_category() -> None:
    found = feature(["yes", "no"] * 30, features={"column": {"unknown": "(unknown)"}})
    assert (found.kind, found.categories) == ("categorical", ("no", "yes", "(unknown)"))


def test_a_number_has_no_unknown_category() -> None:
    with pytest.raises(ConfigurationError, match=r"takes unknown values for '.unknown.', which is none of its categories"):
        feature(range(60), features={"column": {"unknown": "(unknown)"}})


def test_the_event_becomes_class_1() -> None:
    assert dataset(event="no").classes == ("yes", "no")
    assert dataset(event="yes").classes == ("no", "yes")
    assert dataset(event="no").labels[:4].tolist() == [1, 0, 1, 0]
    assert dataset(event="no").favourable == "yes"


def test_numbered_classes_are_in_order_of_their_numbers() -> None:
    assert dataset(target=[2, 10, 1] * 20).classes == ("1", "2", "10")
    assert dataset(target=[True, False] * 30).classes == ("no", "yes")
    assert dataset(target=[1.0, 0.0] * 30, event="0").classes == ("1", "0")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": ["no"] * ROWS}, DataError, "one class only, 'no'"),
        ({"target": np.linspace(0, 1, ROWS)}, DataError, "is a continuous value .60 different numbers."),
        ({"target": [0, 1, np.inf] * 20}, DataError, "non-finite value inf in row 2"),
        ({"target": [None] * ROWS}, DataError, "no value in any of 60 rows"),
        ({"classes": ["no", "maybe"]}, DataError, "unknown class 'yes' in row 1; known are: no, maybe"),
        ({"event": "yess"}, ConfigurationError, r"no class 'yess'; did you mean 'yes'\?"),
        ({"event": 1, "target": [0, 1] * 30}, ConfigurationError, r"no class 1; did you mean '1'\?"),
        ({"favourable": "not"}, ConfigurationError, r"no class 'not'; did you mean 'no'\?"),
    ],
)
def test_a_target_that_is_none_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        dataset(**options)


def test_too_many_classes_are_refused() -> None:
    frame = pd.DataFrame({"amount": np.arange(202) % 7, "target": [f"class {i % 101}" for i in range(202)]})
    with pytest.raises(DataError, match="has 101 different values, at most 100 can be classes"):
        Dataset.from_frame(frame, target="target")


@pytest.mark.parametrize(
    "options",
    [
        {"target": "targt"}, {"target": "target", "protected": ["targt"]}, {"target": "target", "drop": ["targt"]},
        {"target": "target", "features": {"targt": {}}}, {"target": "target", "cuts": {"targt": [1]}},
    ],
)  # fmt: skip
def test_a_wrong_column_name_gives_the_nearest(options: dict[str, Any]) -> None:
    frame = pd.DataFrame({"amount": np.arange(ROWS), "target": ["no", "yes"] * 30})
    with pytest.raises(ConfigurationError, match=r"no column 'targt'; did you mean 'target'\?"):
        Dataset.from_frame(frame, **options)


def test_columns_must_have_names_of_their_own() -> None:
    frame = pd.DataFrame([[1, 2, "no"], [2, 1, "yes"]] * 30, columns=["a", "a", "target"])
    with pytest.raises(DataError, match="two columns 'a'"):
        Dataset.from_frame(frame, target="target")


def test_numbered_columns_are_named_by_their_numbers() -> None:
    frame = pd.DataFrame([[1, 2.5, "no"], [2, 1, "yes"], [3, 1.5, "yes"]] * 20)
    assert Dataset.from_frame(frame, target="2").schema.names == ("0", "1")


def test_a_table_without_inputs_is_refused() -> None:
    with pytest.raises(DataError, match="no column that could be an input"):
        Dataset.from_frame(pd.DataFrame({"target": ["no", "yes"] * 30}), target="target")


def test_roles_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="is the target and cannot be protected or dropped too"):
        dataset(drop=["target"])
    with pytest.raises(ConfigurationError, match="under protected_inputs but not under protected"):
        dataset([1, 2, 3] * 20, protected_inputs=["column"])
