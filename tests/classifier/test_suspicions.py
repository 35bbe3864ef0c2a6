"""What is said of a table's columns, and of what it costs to take them for numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from classifier import Dataset

ROWS = 1000
GENERATOR = np.random.default_rng(0)
PLAIN = GENERATOR.normal(size=ROWS).round(2)


def notes(target: Any = ("no", "yes") * 500, *, features: Any = None, encoding: Any = "unit", **columns: Any) -> tuple[str, ...]:
    frame = pd.DataFrame({"plain": PLAIN, **columns, "target": list(target)})
    cleaning = Dataset.from_frame(frame, target="target", features=features, encoding=encoding).cleaning
    assert cleaning is not None
    return cleaning.notes


@pytest.mark.parametrize("rare", [4, 303, 500])
def test_a_column_that_tells_the_class_is_noted_and_no_other(rare: int) -> None:
    target = np.array(["event"] * rare + ["none"] * (ROWS - rare))[GENERATOR.permutation(ROWS)]
    event = target == "event"
    # Far values must not put all others into one bin.
    number = event + 0.1 * GENERATOR.random(ROWS) + np.where(np.arange(ROWS) == np.flatnonzero(event)[0], 1e9, 0)
    said = notes(target, name=np.where(event, "a", "b"), number=number, noise=GENERATOR.random(ROWS), few=GENERATOR.integers(0, 30, ROWS))
    assert [note.split()[0] for note in said] == ["name", "number"]
    assert "alone tells the class of 100.0% of the rows" in said[0]


def test_equal_numbers_in_a_sorted_file_tell_no_class() -> None:
    assert notes(["a"] * 500 + ["b"] * 500, column=np.tile(np.arange(25), 40)) == ()


def test_a_column_that_repeats_another_is_noted() -> None:
    words = GENERATOR.choice(["p", "q"], ROWS)
    assert notes(again=PLAIN, word=words, same=words) == (
        "again repeats plain; put one of them under drop",
        "same repeats word; put one of them under drop",
    )


def test_codes_that_were_taken_for_numbers_are_noted() -> None:
    said = notes(code=[f"{i % 97:03d}" for i in range(ROWS)])
    assert said == ('code has leading zeros and was taken for numbers; [data.features.code] kind = "categorical" keeps them as codes',)


@pytest.mark.parametrize(
    "values", [[2**60 + i % 90 for i in range(ROWS)], [str(2**60 + i % 90) for i in range(ROWS)], [2**53 + i % 9 for i in range(ROWS)]]
)
def test_whole_numbers_that_become_equal_are_noted_and_not_called_constant(values: list[Any]) -> None:
    frame = pd.DataFrame({"plain": PLAIN, "large": values, "target": ["no", "yes"] * 500})
    cleaning = Dataset.from_frame(frame, target="target").cleaning
    assert cleaning is not None
    assert cleaning.constant == ()
    assert [note for note in cleaning.notes if note.startswith("large holds whole numbers beyond 2^53, of which different ones are equal")]


def test_numbers_that_32_bits_do_not_tell_apart_are_noted() -> None:
    far = 1e9 + GENERATOR.permutation(ROWS) % 200
    assert notes(far=far) == ()
    (said,) = notes(far=far, encoding="natural")
    assert said.startswith("far has 200 different values, of which 32 bits tell 4 apart")


def test_values_outside_stated_bounds_are_counted_and_kept() -> None:
    values = GENERATOR.permutation(ROWS) % 60
    said = notes(column=values, features={"column": {"low": 10, "high": 20}})
    assert said == (f"column lies outside its bounds 10 to 20 in {int(((values < 10) | (values > 20)).sum())} rows; kept",)


def test_rows_are_counted_by_their_numbers_where_some_have_no_label() -> None:
    target = [None if i % 7 == 0 else "no" if i % 2 else "yes" for i in range(ROWS)]
    assert notes(target, number=range(5, ROWS + 5)) == ("number only counts the rows; put it under drop",)
