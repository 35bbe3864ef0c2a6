"""Metric: one number with its interval, its n, and what kind of number it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Bound = Literal["estimate", "lower", "upper"]
Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Metric:
    """One measured number.

    Args:
        name: Area and name, ``"performance.roc_auc"``.
        value: The number, or ``None`` where it could not be measured (then `reason` says why).
        low: Lower end of the interval; ``None`` with `value`.
        high: Upper end of the interval; ``None`` with `value`.
        n: How many samples it rests on.
        confidence: Coverage of the interval.
        interval: How the interval was made: ``"wilson"``, ``"clopper-pearson"``, ``"bootstrap"``,
            ``"delong"``, or ``"exact"`` for a number that is counted, not estimated.
        where: What it was measured on, ``{"attribute": "age_years", "group": "under 26"}``.
        bound: Whether the number estimates the truth, or bounds it from below or above.
        better: Which direction is better.
        unit: Natural unit, empty for a pure number.
        reason: Why there is no value.
        unreliable: Why the value is not to be relied on, where signs say so: a rule that it breaks is broken, and one that it
            keeps is undecided.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    confidence: float = 0.95
    interval: str = "wilson"
    where: Mapping[str, str | float | int] = field(default_factory=dict)
    bound: Bound = "estimate"
    better: Better = "higher"
    unit: str = ""
    reason: str | None = None
    unreliable: str = ""

    def __post_init__(self) -> None:
        numbers = (self.value, self.low, self.high)
        if self.value is None:
            if not self.reason:
                raise ValueError(f"{self.name} has no value and no reason")
            if numbers != (None, None, None):
                raise ValueError(f"{self.name} has an interval but no value")
            return
        if self.low is None or self.high is None:
            raise ValueError(f"{self.name} has a value but no interval")
        if not all(math.isfinite(number) for number in (self.value, self.low, self.high)):
            raise ValueError(f"{self.name} must be finite, got {numbers}; give value=None and a reason")
        if self.low > self.high:
            raise ValueError(f"{self.name} has an interval from {self.low} to {self.high}")

    @classmethod
    def missing(cls, name: str, reason: str, *, n: int = 0, where: Mapping[str, str | float | int] | None = None) -> Metric:
        """A metric that could not be measured, and why."""
        return cls(name, None, None, None, n, interval="none", where=where or {}, reason=reason)

    @classmethod
    def counted(
        cls,
        name: str,
        value: float,
        n: int,
        *,
        better: Better = "neither",
        where: Mapping[str, str | float | int] | None = None,
        unit: str = "",
    ) -> Metric:
        """A number that is counted or computed exactly, so that its interval is a point."""
        return cls(name, value, value, value, n, interval="exact", where=where or {}, better=better, unit=unit)

    def measured_on(self, **where: str | float | int) -> Metric:
        """The same number, with more said about what it was measured on."""
        return replace(self, where={**self.where, **where})

    def __str__(self) -> str:
        if self.value is None:
            return f"not measured: {self.reason}"
        if self.unreliable:
            return f"{replace(self, unreliable='')}, unreliable: {self.unreliable}"
        prefix = {"estimate": "", "lower": "at least ", "upper": "at most "}[self.bound]
        unit = f" {self.unit}" if self.unit else ""
        if self.interval == "exact":
            return f"{prefix}{_short(self.value)}{unit}, n = {self.n}"
        return f"{prefix}{_short(self.value)}{unit} [{_short(self.low)}, {_short(self.high)}], n = {self.n}"


def _short(number: float | None) -> str:
    assert number is not None  # guaranteed by __post_init__
    if number == int(number) and abs(number) < 1e9:
        return str(int(number)) if abs(number) >= 2 else f"{number:.3g}"
    return f"{number:.3f}" if abs(number) >= 0.001 else f"{number:.1e}"
