"""A metric never lacks its interval or its reason, and survives being written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import Metric
from classifier.known_answer import KnownAnswer
from classifier.records import as_record, canonical_json, parse_record, read_record, write_record

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("numbers", "options", "message"),
    [
        ((NAN, 0.0, 1.0), {}, "must be finite"),
        ((0.5, NAN, 1.0), {}, "must be finite"),
        ((0.5, 0.0, INF), {}, "must be finite"),
        ((0.5, None, 1.0), {}, "has a value but no interval"),
        ((0.5, 0.0, None), {}, "has a value but no interval"),
        ((0.5, 1.0, 0.0), {}, "interval from 1.0 to 0.0"),
        ((None, None, None), {}, "no value and no reason"),
        ((None, 0.0, 1.0), {"reason": "lost"}, "an interval but no value"),
    ],
)
def test_a_metric_that_says_less_than_it_must_is_refused(numbers: tuple[Any, Any, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"area.name .*{message}"):
        Metric("area.name", *numbers, 10, **options)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (Metric("a.b", 0.8125, 0.75, 0.86, 250), "0.812 [0.750, 0.860], n = 250"),
        (Metric("a.b", 0.8125, 0.75, 0.86, 250, bound="upper"), "at most 0.812 [0.750, 0.860], n = 250"),
        (Metric("a.b", 0.00002, 0.0, 1.0, 9, bound="lower"), "at least 2.0e-05 [0, 1], n = 9"),
        (Metric("a.b", 1234.5, 1200.0, 1300.0, 9, unit="DM"), "1234.500 DM [1200, 1300], n = 9"),
        (Metric.counted("a.b", 12, 1000, unit="rows"), "12 rows, n = 1000"),
        (Metric.missing("a.b", "no sample"), "not measured: no sample"),
    ],
)
def test_a_metric_in_words_says_what_kind_of_number_it_is(metric: Metric, words: str) -> None:
    assert str(metric) == words


def test_what_it_was_measured_on_adds_up() -> None:
    metric = Metric.counted("a.b", 1, 1, where={"attribute": "age"}).measured_on(group="under 26", fold=2)
    assert metric.where == {"attribute": "age", "group": "under 26", "fold": 2}


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(value=finite, ends=st.tuples(finite, finite), where=st.dictionaries(st.text(), st.one_of(st.text(), finite, st.integers(0, 99))))
def test_a_metric_is_read_as_it_was_written(value: float, ends: tuple[float, float], where: dict[str, Any]) -> None:
    metric = Metric("a.b", value, min(ends), max(ends), 7, where=where, bound="lower", better="neither", unit="%")
    again = parse_record(Metric, canonical_json(as_record(metric)), "a test")
    assert again == metric
    assert {name: type(v) for name, v in again.where.items()} == {name: type(v) for name, v in where.items()}


def test_a_missing_number_is_written_as_null(tmp_path: Path) -> None:
    metric = Metric.missing("a.b", "no sample", n=3)
    write_record(tmp_path / "metric.json", metric)
    written = json.loads((tmp_path / "metric.json").read_text())
    assert (written["value"], written["low"], written["high"], written["reason"]) == (None, None, None, "no sample")
    assert read_record(Metric, tmp_path / "metric.json") == metric


def test_a_known_answer_that_is_not_a_number_does_not_hold() -> None:
    assert KnownAnswer("a.b", "1 is 1", expected=1.0, measured=1.05, tolerance=0.1).holds
    assert not KnownAnswer("a.b", "1 is 1", expected=1.0, measured=1.2, tolerance=0.1).holds
    assert not KnownAnswer("a.b", "1 is 1", expected=1.0, measured=NAN, tolerance=0.1).holds
