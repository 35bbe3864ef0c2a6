"""Numbers as ranges: by width from an origin, or between edges."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# A quotient so near a whole number is one: 0.3 / 0.1 is 2.9999999999999996.
_NEAR = 1e-9


def ranges_of_width(numbers: NDArray[np.float64], width: float, origin: float) -> NDArray[np.object_]:
    """The range of each number ``(D,)``, as ``"20 to under 25"``; a range holds its lower edge and not its upper one.

    Args:
        numbers: The numbers, NaN where there is none.
        width: Width of a range.
        origin: An edge.
    """
    quotient = (numbers - origin) / width
    near = np.round(quotient)
    whole = np.where(np.abs(quotient - near) <= _NEAR * np.maximum(1, np.abs(quotient)), near, np.floor(quotient))
    step, start = Decimal(repr(width)), Decimal(repr(origin))
    different, places = np.unique(whole, return_inverse=True)
    labels = [
        "" if np.isnan(index) else f"{_plain(start + step * int(index))} to under {_plain(start + step * (int(index) + 1))}"
        for index in different
    ]
    return np.array(labels, dtype=object)[places]


def ranges_between(numbers: NDArray[np.float64], edges: Sequence[float]) -> NDArray[np.object_]:
    """The range of each number ``(D,)``: ``"under 18"``, ``"18 to under 65"``, ``"65 or more"``.

    Args:
        numbers: The numbers, NaN where there is none.
        edges: Edges, each in the range above it, in any order.
    """
    points = sorted(set(edges))
    named = [_plain(Decimal(repr(point))) for point in points]
    labels = [f"under {named[0]}", *(f"{low} to under {high}" for low, high in pairwise(named)), f"{named[-1]} or more", ""]
    places = np.searchsorted(points, numbers, side="right")
    return np.array(labels, dtype=object)[np.where(np.isnan(numbers), len(points) + 1, places)]


def rounded(numbers: Sequence[str], to: float) -> list[str]:
    """Numbers as text, each rounded to the nearest multiple of `to`, halves to the even one; empty text stays."""
    step = Decimal(repr(to))
    return [_plain((Decimal(number) / step).to_integral_value() * step) if number else "" for number in numbers]


def _plain(number: Decimal) -> str:
    """Without an exponent or zeros at the end."""
    text = format(number.normalize(), "f")
    return "0" if text == "-0" else text
