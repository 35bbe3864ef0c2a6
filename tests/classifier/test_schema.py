"""A schema turns a table into inputs and back, and refuses what it does not know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier import Feature, Relation, Schema
from classifier.errors import ConfigurationError, DataError
from classifier.schema import Encoding, Kind


@st.composite
def features(draw: st.DrawFn, index: int) -> Feature:
    kind: Kind = draw(st.sampled_from(["continuous", "integer", "binary", "categorical"]))
    name = f"f{index}"
    if kind in ("continuous", "integer"):
        low = draw(st.integers(-100_000, 100_000))
        return Feature(name, kind, low=low, high=low + draw(st.integers(1, 100_000)))
    if kind == "binary":
        return Feature(name, kind, categories=draw(st.sampled_from([(), ("no", "yes")])))
    count = draw(st.integers(2, 5))
    return Feature(name, kind, categories=tuple(f"c{i}" for i in range(count)))


@st.composite
def tables(draw: st.DrawFn) -> tuple[Schema, pd.DataFrame]:
    found = tuple(draw(features(i)) for i in range(draw(st.integers(1, 4))))
    encoding: Encoding = draw(st.sampled_from(["unit", "natural"]))
    rows = draw(st.integers(1, 6))
    columns: dict[str, Any] = {}
    for feature in found:
        if feature.categories:
            values: st.SearchStrategy[Any] = st.sampled_from(feature.categories)
        elif feature.kind == "binary":
            values = st.sampled_from([0.0, 1.0])
        elif feature.kind == "integer":
            values = st.integers(int(feature.low or 0), int(feature.high or 0)).map(float)
        else:
            values = st.floats(feature.low, feature.high)
        columns[feature.name] = draw(st.lists(values, min_size=rows, max_size=rows))
    return Schema("tabular", found, encoding=encoding), pd.DataFrame(columns)


@settings(max_examples=120, deadline=None)
@given(tables())
def test_decode_gives_back_what_encode_took(case: tuple[Schema, pd.DataFrame]) -> None:
    schema, frame = case
    decoded = schema.decode(schema.encode(frame))
    assert list(decoded.columns) == list(schema.names)
    for feature in schema.features:
        if feature.kind == "continuous":
            # float32 keeps 24 bits of what it stores: the distance from low, or the number itself.
            reach = feature.span if schema.encoding == "unit" else max(abs(feature.low or 0), abs(feature.high or 0))
            assert np.allclose(decoded[feature.name], frame[feature.name], rtol=0, atol=6e-7 * reach)
        else:
            assert decoded[feature.name].tolist() == frame[feature.name].tolist()


@settings(max_examples=60, deadline=None)
@given(tables())
def test_encoded_rows_lie_in_the_bounds(case: tuple[Schema, pd.DataFrame]) -> None:
    schema, frame = case
    x, (low, high) = schema.encode(frame), schema.bounds
    assert x.dtype == torch.float32
    assert x.shape == (len(frame), *schema.shape)
    assert ((x >= low - 1e-6 * low.abs()) & (x <= high + 1e-6 * high.abs())).all()


def test_encoding_is_min_max_scaling_and_one_hot(mixed_schema: Schema) -> None:
    frame = pd.DataFrame({"purpose": ["school"], "married": ["yes"], "flag": [1], "months": [38], "rate": [0.5], "other": ["ignored"]})
    assert mixed_schema.encode(frame).tolist() == [[0.5, 0.5, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0]]
    assert mixed_schema.columns == ("rate", "months", "flag", "married", *(f"purpose={c}" for c in ("car", "house", "school", "other")))
    assert mixed_schema.groups["purpose"] == slice(4, 8)


def test_a_narrow_range_far_from_zero_keeps_its_digits() -> None:
    schema = Schema("tabular", (Feature("second", "continuous", low=1_600_000_000.0, high=1_600_000_010.0),))
    assert schema.decode(schema.encode(pd.DataFrame({"second": [1_600_000_001.25]})))["second"][0] == 1_600_000_001.25


def test_a_unit_of_change_is_the_range_or_the_scale() -> None:
    found = (Feature("age", "continuous", low=20.0, high=70.0), Feature("debt", "continuous", scale=1000.0), Feature("c", "binary"))
    schema = Schema("tabular", found, encoding="natural")
    assert schema.scale.tolist() == [50.0, 1000.0, 1.0]
    assert schema.bounds[0].tolist() == [20.0, -np.inf, 0.0]
    assert schema.bounds[1].tolist() == [70.0, np.inf, 1.0]
    assert replace(schema, features=found[:1], encoding="unit").scale.tolist() == [1.0]


VALID = {"rate": [0.0, 1.0], "months": [4, 5], "flag": [0, 1], "married": ["no", "yes"], "purpose": ["car", "other"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"purpose": ["car", "hous"]}, r"'purpose' has the unknown category 'hous' in row 1; did you mean 'house'\?"),
        ({"rate": [0.0, None]}, r"'rate' lacks a value in 1 of 2 rows, first in row 1"),
        ({"rate": [np.inf, 0.0]}, r"'rate' must hold finite numbers, got 'inf' in row 0"),
        ({"months": [4, "five"]}, r"'months' must hold finite numbers, got 'five' in row 1"),
        ({"married": [None, "yes"]}, r"'married' lacks a value in 1 of 2 rows, first in row 0"),
    ],
)
def test_a_value_that_cannot_be_encoded_is_named(mixed_schema: Schema, change: dict[str, Any], message: str) -> None:
    assert mixed_schema.encode(pd.DataFrame(VALID)).shape == (2, 8)
    with pytest.raises(DataError, match=message):
        mixed_schema.encode(pd.DataFrame({**VALID, **change}))


def test_a_missing_column_gives_the_nearest(mixed_schema: Schema) -> None:
    with pytest.raises(DataError, match=r"no column 'months'; did you mean 'month'\?"):
        mixed_schema.encode(pd.DataFrame(VALID).rename(columns={"months": "month"}))


def test_a_refused_row_is_named_as_the_table_names_it(mixed_schema: Schema) -> None:
    frame = pd.DataFrame({**VALID, "rate": [0.0, np.nan]}, index=[17, 42])
    with pytest.raises(DataError, match="first in row 42"):
        mixed_schema.encode(frame)


def test_a_fill_value_stands_for_a_missing_one() -> None:
    found = (
        Feature("n", "integer", low=0, high=10, fill=5.0),
        Feature("c", "categorical", categories=("a", "(missing)"), fill="(missing)"),
    )
    schema = Schema("tabular", found)
    assert schema.encode(pd.DataFrame({"n": [None, 10], "c": ["a", None]})).tolist() == [[0.5, 1.0, 0.0], [1.0, 0.0, 1.0]]


def test_codes_of_any_length_stay_apart() -> None:
    schema = Schema("tabular", (Feature("code", "categorical", categories=("1234567", "1234568")),))
    assert schema.encode(pd.DataFrame({"code": [1234568.0, 1234567.0]})).tolist() == [[0.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "number"}, "kind of feature 'f' is 'number'"),
        ({"kind": "integer", "direction": "increases"}, r"direction of feature 'f' is 'increases'; did you mean 'increase'\?"),
        ({"kind": "integer", "expected_effect": "up"}, "expected effect of feature 'f' is 'up'"),
        ({"kind": "integer", "categories": ("1", "2")}, "integer and takes no categories"),
        ({"kind": "categorical"}, "at least 2 categories, got 0"),
        ({"kind": "categorical", "categories": ("a", "a")}, "names a category twice"),
        ({"kind": "binary", "categories": ("a", "b", "c")}, "2 categories or none, got 3"),
        ({"kind": "continuous", "low": 0.0}, "both low and high, or neither"),
        ({"kind": "continuous", "low": 1.0, "high": 1.0}, "low < high, got 1.0 and 1.0"),
        ({"kind": "continuous", "low": 0.0, "high": float("inf")}, "finite low < high"),
        ({"kind": "continuous", "scale": 0.0}, "finite scale above 0, got 0.0"),
        ({"kind": "continuous", "scale": float("nan")}, "finite scale above 0, got nan"),
        ({"kind": "continuous", "low": -1.7e308, "high": 1.7e308}, "the range of feature 'f' must be finite"),
        ({"kind": "integer", "mutable": "false"}, "mutable of feature 'f' must be true or false, got 'false'; leave out the quotes"),
        ({"kind": "integer", "protected": 1}, "protected of feature 'f' must be true or false, got 1"),
        ({"kind": "integer", "low": "0", "high": 1}, "low of feature 'f' must be a number, got '0'"),
        ({"kind": "integer", "scale": True}, "scale of feature 'f' must be a number, got True"),
        ({"kind": "integer", "unit": 3}, "unit of feature 'f' must be text, got 3"),
        ({"kind": "categorical", "categories": "abc"}, "categories of feature 'f' must be a list of texts, got 'abc'"),
        ({"kind": "categorical", "categories": (1, 2)}, "must be a list of texts"),
        ({"kind": "categorical", "categories": ("a", "b"), "fill": "c"}, "fills gaps with 'c', which is none of its categories"),
        ({"kind": "integer", "low": 0, "high": 9, "fill": -999}, "fill of feature 'f' must lie in its bounds, 0 to 9, got -999"),
        ({"kind": "integer", "low": 0, "high": 9, "fill": 3.5}, "fill of feature 'f' must be a whole number, got 3.5"),
        ({"kind": "binary", "fill": 0.5}, "fill of feature 'f' must be one of its two values, got 0.5"),
        ({"kind": "continuous", "fill": float("nan")}, "must lie in the finite numbers, got nan"),
    ],
)
def test_an_impossible_feature_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Feature("f", **arguments)


def test_an_impossible_schema_is_refused() -> None:
    number, word = Feature("n", "continuous", low=0, high=1), Feature("c", "categorical", categories=("a", "b"))
    with pytest.raises(ConfigurationError, match="got twice: n"):
        Schema("tabular", (number, number))
    with pytest.raises(ConfigurationError, match="no bounds to scale by"):
        Schema("tabular", (Feature("n", "continuous"),))
    with pytest.raises(ConfigurationError, match="'c' is categorical"):
        Schema("tabular", (number, word), (Relation({"c": 1.0}, "<=", 0.0),))
    with pytest.raises(ConfigurationError, match=r"no feature 'm'"):
        Schema("tabular", (number, word), (Relation({"m": 1.0}, "<=", 0.0),))
    with pytest.raises(ConfigurationError, match="sense of a relation is '<'"):
        Relation({"n": 1.0}, "<", 0.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="the fill of feature 'n' must be a number, got 'median'"):
        Schema("tabular", (replace(number, fill="median"),))
    with pytest.raises(ConfigurationError, match="encoding of a schema is 'raw'"):
        Schema("tabular", (number,), encoding="raw")  # type: ignore[arg-type]
