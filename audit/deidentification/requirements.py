"""Requirements: what must hold of each class of a table, and which classes fail."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit.deidentification.classes import Classes, Pairs
from audit.deidentification.closeness import equal_distance, ordered_distance
from audit.deidentification.diversity import distinct_values, dominance, effective_values
from audit.deidentification.plan import Closeness, Diversity

# What equals a limit up to the last digits of a double meets it.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Sensitive:
    """One sensitive column and what must hold of it.

    Args:
        name: The column.
        values: How many values it has.
        overall: Share of each value in all rows that were read ``(V,)``; by rank where `closeness` is ordered.
        diversity: What is required of it.
        closeness: What is required of it.
        person: Whether it tells whose row it is, and is no secret to be learned.
        empty: Which value is the empty one, which is no value to diversity: it may hide any other.
    """

    name: str
    values: int
    overall: NDArray[np.float64]
    diversity: Diversity | None = None
    closeness: Closeness | None = None
    person: bool = False
    empty: int | None = None

    def told(self, pairs: Pairs, sizes: NDArray[np.int64]) -> tuple[Pairs, NDArray[np.int64]]:
        """What classes tell of this column: its pairs and rows without those of empty cells."""
        if self.empty is None:
            return pairs, sizes
        there = pairs.value != self.empty
        pairs = Pairs(pairs.owner[there], pairs.value[there], pairs.count[there])
        return pairs, np.bincount(pairs.owner, weights=pairs.count, minlength=len(sizes)).astype(np.int64)


@dataclass(frozen=True)
class Requirements:
    """What must hold of each class.

    Args:
        k: The smallest size.
        sensitive: The sensitive columns, in the order of the classes' pairs.
    """

    k: int
    sensitive: tuple[Sensitive, ...] = ()

    def with_k(self, k: int) -> Requirements:
        """The same with another k, of rows or of persons."""
        sensitive = tuple(replace(column, diversity=Diversity(l=k)) if column.person else column for column in self.sensitive)
        return replace(self, k=k, sensitive=sensitive)

    def failing_for_good(self, classes: Classes) -> NDArray[np.bool_]:
        """Classes that fail what a class that meets it can never lose by merging: size and number of values ``(C,)``.

        The rows in such classes only become fewer as levels rise. Those that fail the rest may become more: a varied class
        that merges with a large uniform one fails with it.
        """
        wrong = classes.sizes < self.k
        for column, pairs in zip(self.sensitive, classes.pairs, strict=True):
            if column.diversity:
                least = np.ceil(column.diversity.l - _ROUNDING)
                wrong |= distinct_values(*column.told(pairs, classes.sizes)) < least
        return wrong

    def failing(self, classes: Classes) -> NDArray[np.bool_]:
        """Classes that fail anything ``(C,)``."""
        wrong = self.failing_for_good(classes)
        for column, pairs in zip(self.sensitive, classes.pairs, strict=True):
            limit = column.diversity
            if limit and limit.kind == "entropy":
                wrong |= effective_values(*column.told(pairs, classes.sizes)) < limit.l * (1 - _ROUNDING)
            elif limit and limit.kind == "recursive" and limit.c is not None:
                wrong |= dominance(*column.told(pairs, classes.sizes), int(limit.l)) >= limit.c
            if column.closeness:
                distance = ordered_distance if column.closeness.distance == "ordered" else equal_distance
                wrong |= distance(pairs, classes.sizes, column.overall) > column.closeness.t + _ROUNDING
        return wrong
