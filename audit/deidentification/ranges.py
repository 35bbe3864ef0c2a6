"""Numbers as ranges: by width from an origin, or between edges."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal, InvalidOperation, localcontext
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# The lower and the upper edge of the range of each value; NaN where there is none.
Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]
# All digits of a double and more, so that no edge is rounded: a label is true of every number that gets it.
_DIGITS = 1000


def ranges_of_width(numbers: Sequence[str], width: float, origin: float) -> tuple[NDArray[np.object_], Bounds]:
    """The range of each number ``(D,)``, as ``"20 to under 25"``, and its edges; a range holds its lower edge and not its upper one.

    Args:
        numbers: The numbers as they are written, empty text where there is none.
        width: Width of a range.
        origin: An edge.
    """
    step, start = Decimal(repr(width)), Decimal(repr(origin))
    with localcontext(Context(prec=_DIGITS)):
        lows = [_edge_below(_exactly(number), step, start) if number else None for number in numbers]
        labels = ["" if low is None else f"{_plain(low)} to under {_plain(low + step)}" for low in lows]
    low = np.array([np.nan if low is None else float(low) for low in lows])
    return np.array(labels, dtype=object), (low, low + width)


def ranges_between(numbers: NDArray[np.float64], edges: Sequence[float]) -> tuple[NDArray[np.object_], Bounds]:
    """The range of each number ``(D,)``, ``"under 18"``, ``"18 to under 65"``, ``"65 or more"``, and its edges.

    Args:
        numbers: The numbers, NaN where there is none.
        edges: Edges, each in the range above it, in any order.
    """
    points = sorted(set(edges))
    named = [_plain(Decimal(repr(point))) for point in points]
    labels = [f"under {named[0]}", *(f"{low} to under {high}" for low, high in pairwise(named)), f"{named[-1]} or more", ""]
    places = np.where(np.isnan(numbers), len(points) + 1, np.searchsorted(points, numbers, side="right"))
    low, high = np.array([-np.inf, *points, np.nan]), np.array([*points, np.inf, np.nan])
    return np.array(labels, dtype=object)[places], (low[places], high[places])


def rounded(numbers: Sequence[str], to: float) -> list[str]:
    """Numbers as text, each rounded to the nearest multiple of `to`, halves to the even one; empty text stays."""
    step = Decimal(repr(to))
    with localcontext(Context(prec=_DIGITS)):
        exact = [_exactly(number) if number else None for number in numbers]
        return ["" if number is None else _plain(number - number.remainder_near(step)) for number in exact]


def _exactly(number: str) -> Decimal:
    try:
        return Decimal(number)
    except InvalidOperation:
        # An exponent beyond all that a decimal holds, which a double takes for 0.
        return Decimal(repr(float(number)))


def _edge_below(number: Decimal, step: Decimal, start: Decimal) -> Decimal:
    # The remainder has the sign of what is divided.
    above = (number - start) % step
    return number - above if above >= 0 else number - above - step


def _plain(number: Decimal) -> str:
    """Without an exponent or zeros at the end."""
    text = format(number.normalize(), "f")
    return "0" if text == "-0" else text
