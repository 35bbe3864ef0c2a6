"""Significance: what a test of two numbers gave, and Holm's correction for many of them (Holm, 1979)."""

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
    """

    method: Method
    low: float
    high: float
    p_value: float
    rows: int | None = None


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
