"""A bound that is printed is a bound, and nothing reads as its limit, as 0 or as all of it that is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.report.catalogue import read_catalogue
from audit.report.rounding import written
from audit.report.wording import Wording
from classifier.metric import Bound, Metric

NUMBERS = st.floats(-1e12, 1e12).map(lambda number: float(f"{number:.9g}"))
SHARES = st.integers(0, 10**7).map(lambda number: number / 10**7)


def read(text: str) -> float:
    return float(text.replace("−", "-"))


@given(NUMBERS | SHARES)
def test_a_lower_bound_is_never_rounded_up_nor_an_upper_one_down(number: float) -> None:
    assert read(written(number, toward="down")) <= number <= read(written(number, toward="up"))


@given(SHARES, SHARES, st.sampled_from(["nearest", "down", "up"]))
def test_what_is_printed_is_on_the_side_of_its_limit_on_which_the_number_is(number: float, limit: float, toward: str) -> None:
    shown = read(written(number, share=True, toward=toward, beside=limit))  # type: ignore[arg-type]
    printed = read(written(limit, share=True, beside=limit))
    assert (shown < printed, shown > printed) == (number < limit, number > limit)
    assert (shown == 0, shown == 100) == (number == 0, number == 1)


@pytest.mark.parametrize(
    ("number", "share", "said"),
    [(0.1 + 0.2, True, "30.0"), (1.0, True, "100.0"), (0.99996, False, "0.99996"), (0.00042, True, "0.04"), (-1e-9, False, "−1.0e−9")],
)
def test_a_number_has_as_few_digits_as_tell_what_is_meant(number: float, share: bool, said: str) -> None:
    assert written(number, share=share) == said


@pytest.mark.parametrize(
    ("bound", "value", "low", "high", "said"),
    [
        ("lower", 0.9996, 0.9994, 0.99999, "at least 99.9 % (lower bound, 95 % interval 99.9 to 99.999 %, n = 9)"),
        ("upper", 0.0004, 0.0, 0.0011, "at most 0.04 % (upper bound, 95 % interval 0.0 to 0.2 %, n = 9)"),
    ],
)
def test_a_phrase_rounds_each_number_as_what_it_is(bound: Bound, value: float, low: float, high: float, said: str) -> None:
    metric = Metric("robustness.accuracy", value, low, high, 9, bound=bound)
    assert Wording(read_catalogue()).measured(metric).replace("\u00a0", " ") == said
