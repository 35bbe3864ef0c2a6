"""Percentages: never on the wrong side of a threshold, and never certain where the classifier is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.sheet.percentages import percentage, side_by_side


@pytest.mark.parametrize(
    ("probability", "threshold", "told"),
    [
        (0.694, 0.5, ("69%", "50%")),
        (0.4975, 0.5, ("49.8%", "50%")),
        (0.49999, 0.5, ("49.999%", "50%")),
        (0.5, 0.5, ("50%", "50%")),
        (0.166, 1 / 6, ("16.6%", "16.7%")),
        (0.168, 1 / 6, ("17%", "17%")),
        (0.9999, 0.5, ("99.99%", "50%")),
    ],
)
def test_both_are_told_in_as_few_digits_as_tell_them_apart(probability: float, threshold: float, told: tuple[str, str]) -> None:
    assert side_by_side(probability, threshold) == told


def test_nothing_is_told_as_certain_that_is_not() -> None:
    assert [percentage(p) for p in (0.0, 0.0004, 0.42, 0.997, 0.99996, 1.0)] == ["0%", "0.04%", "42%", "99.7%", "99.996%", "100%"]


@given(st.floats(0.0001, 0.9999), st.floats(0.01, 0.99))
def test_what_is_told_decides_as_the_numbers_do(probability: float, threshold: float) -> None:
    shown, limit = (float(text[:-1]) for text in side_by_side(probability, threshold))
    assert (shown >= limit) == (probability >= threshold) or abs(probability - threshold) < 1e-9
