"""Random search: points at the edge of what is allowed, as a control that every attack must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.attacks._starts import random_starts
from audit.robustness.attempt import Attempt
from audit.robustness.method import Attack, register
from classifier.errors import ConfigurationError
from classifier.seeds import Seed


@register
@dataclass(frozen=True, kw_only=True)
class RandomSearch(Attack):
    """Try random points, half of them at corners where the norm has some.

    Args:
        queries: How many for each row.
    """

    queries: int = 100
    gradient: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.queries < 1:
            raise ConfigurationError(f"queries must be at least 1, got {self.queries}")

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        for query in range(self.queries):
            rows = attempt.standing
            if len(rows) == 0:
                return
            u = random_starts(attempt, rows, seed, place=query)
            if attempt.allowed.norm == "Linf" and query % 2:
                allowed = attempt.allowed[rows]
                u = allowed.project(allowed.centre + allowed.eps * (u - allowed.centre).sign())
            attempt.submit(u, rows)
