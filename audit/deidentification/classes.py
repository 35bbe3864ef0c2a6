"""Classes: rows that share their quasi-identifiers, counted, and made coarser without the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """How often each value of one sensitive column occurs in each class; combinations that do not occur are not listed.

    Args:
        owner: The class ``(P,)``.
        value: The value ``(P,)``.
        count: How many rows ``(P,)``, at least 1.
    """

    owner: Codes
    value: Codes
    count: Codes


@dataclass(frozen=True)
class Classes:
    """The classes of a table.

    Args:
        codes: For each quasi-identifier the group of each class ``(Q, C)``.
        sizes: Rows of each class ``(C,)``.
        pairs: For each sensitive column, what its values are in each class.
    """

    codes: Codes
    sizes: Codes
    pairs: tuple[Pairs, ...] = ()

    def __len__(self) -> int:
        return len(self.sizes)

    def without(self, failing: NDArray[np.bool_]) -> Classes:
        """The classes but for some ``(C,)``."""
        place = np.cumsum(~failing) - 1
        kept = [(pair, ~failing[pair.owner]) for pair in self.pairs]
        pairs = tuple(Pairs(place[pair.owner[stays]], pair.value[stays], pair.count[stays]) for pair, stays in kept)
        return Classes(self.codes[:, ~failing], self.sizes[~failing], pairs)


def group_rows(codes: Codes, cards: Sequence[int], sensitive: Sequence[Codes] = (), values: Sequence[int] = ()) -> tuple[Classes, Codes]:
    """The classes of rows, and the class of each row ``(N,)``.

    Args:
        codes: For each quasi-identifier the group of each row ``(Q, N)``.
        cards: How many groups each has.
        sensitive: For each sensitive column the value of each row ``(N,)``.
        values: How many values each has.
    """
    owner, first = _grouped(codes, cards)
    ones = np.ones(codes.shape[1], dtype=np.int64)
    pairs = tuple(_paired(owner, value, ones, len(first), many) for value, many in zip(sensitive, values, strict=True))
    return Classes(codes[:, first], np.bincount(owner, minlength=len(first)), pairs), owner


def coarsen(classes: Classes, up: Sequence[Codes], values: Sequence[int] = ()) -> Classes:
    """The classes that result where each quasi-identifier's groups are merged.

    Args:
        classes: The classes before.
        up: For each quasi-identifier the new group of each group.
        values: How many values each sensitive column has.
    """
    codes = np.stack([merge[column] for merge, column in zip(up, classes.codes, strict=True)])
    owner, first = _grouped(codes, [int(merge.max(initial=0)) + 1 for merge in up])
    sizes = _summed(owner, classes.sizes, len(first))
    pairs = tuple(
        _paired(owner[pair.owner], pair.value, pair.count, len(first), many) for pair, many in zip(classes.pairs, values, strict=True)
    )
    return Classes(codes[:, first], sizes, pairs)


def _grouped(codes: Codes, cards: Sequence[int]) -> tuple[Codes, Codes]:
    """The group of each column of `codes` ``(Q, M)`` among those that are equal, and one member of each group."""
    key, size = codes[0], int(cards[0])
    for column, card in zip(codes[1:], cards[1:], strict=True):
        if size * int(card) >= 2**62:
            key, size = _compact(key, size)
        key, size = key * card + column, size * int(card)
    key, size = _compact(key, size)
    first = np.empty(size, dtype=np.int64)
    first[key] = np.arange(len(key))
    return key, first


def _compact(key: Codes, size: int) -> tuple[Codes, int]:
    """Keys below `size` as numbers without gaps, and how many there are."""
    if size <= 4 * len(key) + 1024:
        present = np.zeros(size, dtype=bool)
        present[key] = True
        return (np.cumsum(present) - 1)[key], int(np.count_nonzero(present))
    codes, different = pd.factorize(key)
    return np.asarray(codes, dtype=np.int64), len(different)


def _paired(owner: Codes, value: Codes, count: Codes, classes: int, values: int) -> Pairs:
    place, first = _grouped(np.stack([owner, value]), (max(classes, 1), max(values, 1)))
    return Pairs(owner[first], value[first], _summed(place, count, len(first)))


def _summed(owner: Codes, counts: Codes, size: int) -> Codes:
    # Sums of whole numbers below 2**53 are exact in doubles.
    return np.bincount(owner, weights=counts, minlength=size).astype(np.int64)
