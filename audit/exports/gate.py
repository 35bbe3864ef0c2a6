"""Gate: the exit code by which a pipeline stops, where it stops for grave violations only."""

from __future__ import annotations

from dataclasses import replace

from audit.bundle import Audit
from classifier.errors import ConfigurationError, did_you_mean

#: From the least that can stop a pipeline to the most.
SEVERITIES = ("low", "medium", "high")


def exit_code_of(audit: Audit, *, fail_on: str = "low") -> int:
    """The audit's exit code where violations below a severity do not count.

    They change nothing else: a missed known answer is still 5, and missing evidence, of any severity, is still 3.

    Args:
        audit: The record.
        fail_on: The least severity of a violated rule that makes 1: ``"low"``, ``"medium"`` or ``"high"``.

    Raises:
        ConfigurationError: If there is no such severity.
    """
    if fail_on not in SEVERITIES:
        raise ConfigurationError(f"there is no severity {fail_on!r} to fail on", remedy=did_you_mean(fail_on, SEVERITIES))
    counted = SEVERITIES[SEVERITIES.index(fail_on) :]
    findings = tuple(replace(finding, violated=finding.violated and finding.severity in counted) for finding in audit.findings)
    return replace(audit, findings=findings).exit_code
