"""Rounding: a number in as few digits as tell what is meant, so that a bound that is printed is still a bound."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Literal

#: Whether a number is rounded to the nearest one, or never up, as a lower bound is, or never down, as an upper bound is.
Toward = Literal["nearest", "down", "up"]

_ROUNDINGS: dict[Toward, str] = {"nearest": ROUND_HALF_EVEN, "down": ROUND_FLOOR, "up": ROUND_CEILING}
# Digits beyond these are noise of the arithmetic: 0.1 + 0.2 is read as 0.3.
_MEANT = 12
# What is smaller or larger is written with a power of ten.
_SMALLEST, _LARGEST = Decimal("1e-4"), Decimal("1e9")


def written(number: float, *, share: bool = False, toward: Toward = "nearest", beside: float | None = None) -> str:
    """A number in digits, with a power of ten behind an ``e`` where it is very small or very large.

    Nothing is written as 0 or as 1 (or 100 per cent) that is not, and nothing as its limit, or beyond it, that is not.

    Args:
        number: A finite number.
        share: Whether it is written in hundredths, with one digit behind the point.
        toward: Which way it is rounded.
        beside: The limit that it is read beside.
    """
    scale = 2 if share else 0
    exact = _meant(number).scaleb(scale)
    landmarks = [Decimal(end).scaleb(scale) for end in (0, 1)] + ([_meant(beside).scaleb(scale)] if beside is not None else [])
    if not share and exact == exact.to_integral_value() and abs(exact) < _LARGEST:
        return _digits(exact, 0)
    if exact != 0 and not _SMALLEST <= abs(exact) < _LARGEST:
        shown = _rounded(exact, exact.adjusted() - 1, toward, landmarks)
        return f"{_digits(shown.scaleb(-shown.adjusted()), 1)}e{shown.adjusted()}".replace("-", "−")
    usual = max(1, -exact.adjusted()) if share else 3 if abs(exact) >= Decimal("0.001") else 5
    return _digits(_rounded(exact, -usual, toward, landmarks), usual)


def _digits(number: Decimal, least: int) -> str:
    """As many digits behind the point as there are, and as there are at least."""
    exponent = number.normalize().as_tuple().exponent
    behind = max(least, -exponent if isinstance(exponent, int) else 0)
    return f"{abs(number) if number == 0 else number:.{behind}f}".replace("-", "−")


def _meant(number: float) -> Decimal:
    return Decimal(f"{number:.{_MEANT}g}")


def _rounded(exact: Decimal, power: int, toward: Toward, landmarks: Sequence[Decimal]) -> Decimal:
    """Rounded to that power of ten, or finer where the number would else reach or cross what it is held against."""
    while True:
        # Not by quantize, which refuses a number of more digits than its context has.
        shown = exact.scaleb(-power).to_integral_value(rounding=_ROUNDINGS[toward]).scaleb(power)
        if shown == exact or all(_side(shown, landmark) == _side(exact, landmark) for landmark in landmarks):
            return shown
        power -= 1


def _side(number: Decimal, landmark: Decimal) -> int:
    return (number > landmark) - (number < landmark)
