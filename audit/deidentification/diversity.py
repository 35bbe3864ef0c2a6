"""Diversity of a sensitive column within classes (Machanavajjhala, Kifer, Gehrke, Venkitasubramaniam, 2007, ACM TKDD 1(1))."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.deidentification.classes import Pairs

Array = NDArray[np.float64]


def distinct_values(pairs: Pairs, sizes: NDArray[np.int64]) -> Array:
    """How many different values each class has ``(C,)``."""
    return np.bincount(pairs.owner, minlength=len(sizes)).astype(np.float64)


def effective_values(pairs: Pairs, sizes: NDArray[np.int64]) -> Array:
    """The exponential of each class's entropy ``(C,)``: the l of entropy l-diversity (definition 4.1)."""
    share = pairs.count / sizes[pairs.owner]
    return np.exp(-np.bincount(pairs.owner, weights=share * np.log(share), minlength=len(sizes)))


def dominance(pairs: Pairs, sizes: NDArray[np.int64], l: int) -> Array:  # noqa: E741 (the letter that the literature uses)
    """How often the commonest value occurs for each time that any from the `l`-th commonest on does ``(C,)``.

    A class is recursively (c, l)-diverse where this is below c (definition 4.2); infinite where it has fewer than `l` values.
    """
    order = np.lexsort((-pairs.count, pairs.owner))
    owner, count = pairs.owner[order], pairs.count[order]
    starts = np.flatnonzero(np.r_[True, np.diff(owner) != 0])
    rank = np.arange(len(owner)) - np.repeat(starts, np.diff(np.r_[starts, len(owner)]))
    tail = np.bincount(owner, weights=np.where(rank >= l - 1, count, 0), minlength=len(sizes))
    most = np.bincount(owner, weights=np.where(rank == 0, count, 0), minlength=len(sizes))
    return np.divide(most, tail, out=np.full(len(sizes), np.inf), where=tail > 0)
