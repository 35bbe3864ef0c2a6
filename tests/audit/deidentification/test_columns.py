"""What is done with one column: ranges, dates, prefixes, hierarchies, rounding and suppression, and cells that do not fit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.deidentification import Column, Plan, deidentify
from audit.deidentification.ranges import ranges_of_width, rounded
from classifier.errors import ConfigurationError, DataError


def released(values: list[object] | pd.Series, action: str = "generalise", **options: object) -> list[object]:  # type: ignore[type-arg]
    frame = pd.DataFrame({"a": values, "row": range(len(values))})
    columns = {"a": Column(action=action, **options), "row": Column(action="keep")}  # type: ignore[arg-type]
    found = deidentify(frame, Plan(dataset="d", order="kept", columns=columns)).frame["a"]
    return [None if value is None or value != value else value for value in found]


CASES: dict[str, tuple[dict[str, object], list[object], list[object]]] = {
    "an edge is in the range above it": (
        {"widths": (5,)},
        ["19", "20", "24.9", "25"],
        ["15 to under 20", *["20 to under 25"] * 2, "25 to under 30"],
    ),
    "ranges below zero": ({"widths": (10,)}, [-1, -10, -11], ["-10 to under 0", "-10 to under 0", "-20 to under -10"]),
    "an origin": ({"widths": (10,), "origin": 18}, [18, 27, 28], ["18 to under 28", "18 to under 28", "28 to under 38"]),
    "no noise of doubles": ({"widths": (0.1,)}, ["0.3", "0.7", "0.29"], ["0.3 to under 0.4", "0.7 to under 0.8", "0.2 to under 0.3"]),
    "open ends": ({"cuts": ((65, 18),)}, [17, 18, 64, 65], ["under 18", "18 to under 65", "18 to under 65", "65 or more"]),
    "months": ({"dates": ("month",)}, ["2024-02-29", "1899-12-31"], ["2024-02", "1899-12"]),
    "quarters": ({"dates": ("quarter",)}, ["2024-03-31", "2024-04-01"], ["2024-Q1", "2024-Q2"]),
    "decades": ({"dates": ("decade",)}, ["1999-12-31", "2000-01-01T10:00:00"], ["1990s", "2000s"]),
    "dates in their own time zones": ({"dates": ("day",)}, ["2024-01-01T23:30:00+05:00", "2024-01-01T23:30-05:00"], ["2024-01-01"] * 2),
    "dates of long ago": ({"dates": ("year",), "level": 1}, ["0987-01-01", "20240131"], ["0987", "2024"]),
    "dates as they are written here": ({"dates": ("year",), "date_format": "%d.%m.%Y"}, ["31.12.2023"], ["2023"]),
    "prefixes": ({"prefixes": (3,)}, ["02138", "021", "02"], ["021*", "021*", "02*"]),
    "a hierarchy": ({"hierarchy": {"nurse": ("health",), "cook": ("food",)}}, ["cook", "nurse"], ["food", "health"]),
    "a level of several": ({"prefixes": (4, 2), "level": 2}, ["02138"], ["02*"]),
    "level 0": ({"widths": (5,), "level": 0}, ["19"], ["19"]),
    "empty cells": ({"widths": (5,)}, ["19", "", None], ["15 to under 20", None, None]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_value_is_generalised_as_its_label_says(case: str) -> None:
    options, values, labels = CASES[case]
    assert released(values, **options) == labels


def test_numbers_are_rounded_to_multiples_halves_to_even_without_noise() -> None:
    assert released(["1250", "1350", "-49", "", "1e3"], "round", to=100) == ["1200", "1400", "0", None, "1000"]
    assert rounded(["0.15", "0.25", "2.675"], 0.1) == ["0.2", "0.2", "2.7"]


def test_all_cells_are_suppressed_or_only_rare_ones() -> None:
    assert released(["x", "x", "y", None], "suppress") == ["*", "*", "*", "*"]
    assert released(["x", "x", "y", "z"], "suppress", fewer_than=2) == ["x", "x", "*", "*"]


NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6).map(lambda number: str(number / 10)),
    st.integers(-(2**64), 2**64).map(str),
    st.floats(-1e300, 1e300).map(repr),
)


@given(st.lists(NUMBERS, min_size=1), st.sampled_from([0.1, 0.25, 1.0, 7.5, 1000.0]), st.sampled_from([0.0, 0.3, -18.0, 1e9]))
def test_every_number_lies_in_the_range_that_it_gets(numbers: list[str], width: float, origin: float) -> None:
    """As fractions: multiples of a tenth, which doubles hold inexactly, and numbers far beyond the width."""
    labels, (lows, highs) = ranges_of_width(numbers, width, origin)
    for number, label, least, greatest in zip(numbers, labels, lows, highs, strict=True):
        low, high = map(Fraction, label.split(" to under "))
        assert low <= Fraction(number) < high
        assert high - low == Fraction(str(width))
        assert (low - Fraction(str(origin))) % Fraction(str(width)) == 0
        assert (least, greatest) == pytest.approx((float(low), float(high)))


@given(NUMBERS, st.sampled_from([0.1, 0.25, 1.0, 7.5, 1000.0]))
def test_no_multiple_is_nearer_than_the_one_that_a_number_is_rounded_to(number: str, to: float) -> None:
    (near,) = map(Fraction, rounded([number], to))
    assert near % Fraction(str(to)) == 0
    assert abs(near - Fraction(number)) <= Fraction(str(to)) / 2


@pytest.mark.parametrize("part", ["day", "month", "quarter", "year", "decade"])
def test_no_date_has_no_label_and_no_error(part: str) -> None:
    assert released([None, ""], dates=(part,)) == [None, None]


BAD: dict[str, tuple[dict[str, object], list[object], str]] = {
    "text among numbers": ({"widths": (5,)}, ["1", "secret"], "must hold finite numbers, and 1 rows do not, the first of them row 2"),
    "infinite": ({"widths": (5,)}, ["1", "inf"], "finite numbers"),
    "a day or a month": ({"dates": ("year",)}, ["2024-01-01", "03/04/2024"], "written as 2024-03-31, and 1 rows do not"),
    "a year has no month": ({"dates": ("month",)}, ["2024"], "must hold dates"),
    "a day that moves": ({"dates": ("month",)}, ["today"], "must hold dates"),
    "no such day": ({"dates": ("year",)}, ["2023-02-29"], "the first of them row 1"),
    "not in the hierarchy": ({"hierarchy": {"cook": ("food",)}}, ["cook", "secret"], "lacks 1 values, the first of them in row 2"),
    "lists": ({"prefixes": (1,)}, [["secret"], ["b"]], "cells of several values"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_cell_that_does_not_fit_is_named_by_its_row_and_never_shown(case: str) -> None:
    options, values, problem = BAD[case]
    with pytest.raises(DataError, match=problem) as caught:
        released(values, **options)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"widths": (4, 6)}, {"cuts": ((10, 20), (15,))}, {"dates": ("month", "day")}, {"prefixes": (2, 3)}, {"widths": (5, 5)}]
)
def test_a_level_that_cuts_through_groups_of_the_one_before_is_no_plan(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="required is that each level holds whole groups"):
        Column(action="generalise", level=1, **options)  # type: ignore[arg-type]


def test_a_hierarchy_that_takes_a_group_apart_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'level 2' cuts through a group of 'level 1'"):
        released(["p", "q"], hierarchy={"p": ("a", "x"), "q": ("a", "y")}, level=1)


def test_a_hierarchy_is_read_beside_the_plan_and_written_into_it(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("job,sector,all\nnurse,health,work\ncook,food,work\n")
    text = 'dataset = "d"\n[columns.job]\naction = "generalise"\nhierarchy = "jobs.csv"\nlevel = 1\n'
    (tmp_path / "plan.toml").write_text(text)
    plan = Plan.read(tmp_path / "plan.toml")
    plan.write(tmp_path / "elsewhere" / "plan.toml")
    assert Plan.read(tmp_path / "elsewhere" / "plan.toml") == plan
    assert list(deidentify(pd.DataFrame({"job": ["cook", "nurse"]}), plan).frame["job"]) == ["food", "health"]
    for content, problem in (("job\nnurse\n", "one column"), ("job,a\nx,1\nx,2\n", "a value twice"), ("job,a\nx,\n", "an empty cell")):
        (tmp_path / "jobs.csv").write_text(content)
        with pytest.raises(DataError, match=problem):
            Plan.read(tmp_path / "plan.toml")
