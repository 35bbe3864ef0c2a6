"""Gating on regressions alone: an audit against a baseline that was accepted, whatever rules both violate."""

from __future__ import annotations

from dataclasses import dataclass

from audit.bundle import Audit
from audit.comparison.comparing import compare
from audit.comparison.difference import Difference
from audit.comparison.telling import tell_worse
from audit.exports.gate import SEVERITIES
from classifier.errors import ConfigurationError, did_you_mean


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


def gate(baseline: Audit, audit: Audit, *, fail_on: str = "low", language: str = "en", width: int = 80) -> Gate:
    """Hold an audit against a baseline.

    Args:
        baseline: What was accepted.
        audit: What is asked about.
        fail_on: The least severity of a newly violated rule that makes 1, ``"low"``, ``"medium"`` or ``"high"``: the graver of what
            it was and is. A measurement that is worse has no severity, and makes 1 always; what cannot be told is still 3.
        language: Tag of a catalogue.
        width: Columns of the terminal.

    Raises:
        ConfigurationError: If there is no such severity, or their numbers answer different questions: other profiles, classes or
            events.
    """
    if fail_on not in SEVERITIES:
        raise ConfigurationError(f"there is no severity {fail_on!r} to fail on", remedy=did_you_mean(fail_on, SEVERITIES))
    difference = compare(baseline, audit)
    return Gate(_exit_code(difference, fail_on), tell_worse(difference, language=language, width=width))


def _exit_code(difference: Difference, fail_on: str) -> int:
    counted = frozenset(SEVERITIES[SEVERITIES.index(fail_on) :])
    grave = any(rule.severities & counted for rule in difference.turned("newly_violated"))
    if difference.exit_code != 1 or difference.of("regression") or grave:
        return difference.exit_code
    return 3 if difference.untold else 0
