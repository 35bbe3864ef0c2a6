"""Known answers: what an engine must measure where the truth is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownAnswer:
    """One engine held against a truth that was known before it ran.

    Each engine ships its own, as a function ``measure_known_answers(seed)`` in its folder's
    ``known_answers.py``; ``assay selftest`` runs them all and each bundle records them.

    Args:
        id: Area and name, ``"robustness.linear_exact"``.
        statement: What must hold, as a sentence.
        expected: The truth.
        measured: What the engine gave.
        tolerance: How far apart the two may be.
    """

    id: str
    statement: str
    expected: float
    measured: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the engine gave the truth; a measurement that is not a number never does."""
        return abs(self.measured - self.expected) <= self.tolerance
