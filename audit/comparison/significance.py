"""Significance: what a test of two numbers gave, and Holm's correction for many of them (Holm, 1979; Tarone, 1990)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from audit.comparison.difference import Method

#: The quantile of a 95 % interval.
Z95 = float(special.ndtri(0.975))


@dataclass(frozen=True)
class Tested:
    """What a test gave.

    Args:
        method: Which test it was.
        low: Lower end of the 95 % interval of new less old.
        high: Upper end of it.
        p_value: How often chance alone gives a difference as large, two-sided.
        rows: Rows that each was compared on with itself; ``None`` of two samples.
        least: The least p-value that the test could have given, however those rows had turned that did turn.
    """

    method: Method
    low: float
    high: float
    p_value: float
    rows: int | None = None
    least: float = 0.0


def two_sided(z: float) -> float:
    """The chance of a standard normal number at least as far from 0."""
    return float(2 * special.ndtr(-abs(z)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value such that, at most `alpha` of the time, any of them falls to `alpha` where nothing differs.

    Args:
        p_values: One for each comparison, in any order and however they hang together.
    """
    adjusted = [1.0] * len(p_values)
    worst = 0.0
    for place, index in enumerate(np.argsort(p_values, kind="stable")):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = worst
    return adjusted


def able(least: Sequence[float], alpha: float) -> list[bool]:
    """Which of many tests could fall to their share of `alpha` at all; the others need not be corrected for (Tarone, 1990).

    Args:
        least: The least p-value that each could have given, which must not hang on what it did give.
        alpha: How often, at most, any of them may fall to it where nothing differs.
    """
    count = next(count for count in range(1, len(least) + 2) if sum(one <= alpha / count for one in least) <= count)
    return [one <= alpha / count for one in least]
