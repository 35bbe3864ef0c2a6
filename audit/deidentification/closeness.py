"""Closeness of a sensitive column's distribution in classes to that in all rows (Li, Li, Venkatasubramanian, 2007, ICDE)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.deidentification.classes import Pairs

Array = NDArray[np.float64]


def equal_distance(pairs: Pairs, sizes: NDArray[np.int64], overall: Array) -> Array:
    """Earth mover's distance where any two values are 1 apart ``(C,)``: half the sum of differences (section 5.2).

    Args:
        pairs: Values within classes.
        sizes: Rows of each class ``(C,)``.
        overall: Share of each value in all rows ``(V,)``.
    """
    more = np.maximum(pairs.count / sizes[pairs.owner] - overall[pairs.value], 0)
    return np.bincount(pairs.owner, weights=more, minlength=len(sizes)).astype(np.float64)


def ordered_distance(pairs: Pairs, sizes: NDArray[np.int64], overall: Array) -> Array:
    """Earth mover's distance where values are ranked and the first and the last are 1 apart ``(C,)`` (section 5.1).

    It is the mean difference of the two cumulative distributions over all ranks but the last. A class's is constant between
    the values it has, so that only these are looked at, however many values there are.

    Args:
        pairs: Values within classes, numbered by their rank.
        sizes: Rows of each class ``(C,)``.
        overall: Share of each value in all rows ``(V,)``, by rank.
    """
    steps = len(overall) - 1
    if steps < 1:
        return np.zeros(len(sizes))
    order = np.lexsort((pairs.value, pairs.owner))
    owner, value = pairs.owner[order], pairs.value[order]
    share = pairs.count[order] / sizes[owner]
    begins = np.r_[True, np.diff(owner) != 0]
    # A value of a class reaches up to the next value it has, the last of them to the last rank.
    until = np.where(np.r_[begins[1:], True], steps, np.r_[value[1:], 0])
    total = np.cumsum(share)
    reached = total - np.repeat((total - share)[begins], np.diff(np.r_[np.flatnonzero(begins), len(owner)]))
    cumulated = np.cumsum(overall)[:-1]
    sums = np.r_[0.0, np.cumsum(cumulated)]
    distance = np.bincount(owner, weights=_between(reached, value, until, cumulated, sums), minlength=len(sizes))
    # Below its first value a class has nothing, and the difference is the overall share itself.
    distance[owner[begins]] += sums[value[begins]]
    return distance / steps


def _between(level: Array, low: NDArray[np.int64], high: NDArray[np.int64], cumulated: Array, sums: Array) -> Array:
    """The sum of ``|level - cumulated[i]|`` over ``low <= i < high``, from the sums of what `cumulated` rises through."""
    turn = np.clip(np.searchsorted(cumulated, level), low, high)
    return level * (turn - low) - (sums[turn] - sums[low]) + (sums[high] - sums[turn]) - level * (high - turn)
