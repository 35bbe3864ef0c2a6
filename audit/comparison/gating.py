"""Gating on regressions alone: an audit against a baseline that was accepted, whatever rules both violate."""

from __future__ import annotations

from dataclasses import dataclass

from audit.bundle import Audit
from audit.comparison.comparing import compare
from audit.comparison.telling import tell_worse


@dataclass(frozen=True)
class Gate:
    """Whether an audit may pass.

    Args:
        exit_code: 0 where nothing is worse than the baseline, 1 where something is, 3 where that cannot be told, and 5 where an
            engine missed an answer that was known beforehand.
        lines: What is worse or cannot be told, for a terminal.
    """

    exit_code: int
    lines: tuple[str, ...]


def gate(baseline: Audit, audit: Audit, *, language: str = "en", width: int = 80) -> Gate:
    """Hold an audit against a baseline.

    Args:
        baseline: What was accepted.
        audit: What is asked about.
        language: Tag of a catalogue.
        width: Columns of the terminal.

    Raises:
        ConfigurationError: If their numbers answer different questions: other profiles, classes or events.
    """
    difference = compare(baseline, audit)
    return Gate(difference.exit_code, tell_worse(difference, language=language, width=width))
