"""Findings: what a scan found, in which file and where, and why it matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")


@dataclass(frozen=True)
class ScanFinding:
    """One thing that a file holds and should not.

    Args:
        rule: Id of the rule, ``"pickle.global"``; ``docs/scan.md`` lists them.
        severity: ``"high"``: whoever opens the file may run code of its sender's choice, or the scanner cannot rule
            it out. ``"medium"``: the file is not what it says, or damaged. ``"low"``: worth knowing.
        file: The file, relative to what was scanned.
        member: Path inside an archive, nested ones after an exclamation mark; empty for the file itself.
        offset: Byte in the file or the member; ``None`` where it is about the whole.
        reason: What was found.
        remedy: What to do.
    """

    rule: str
    severity: Severity
    file: str
    member: str
    offset: int | None
    reason: str
    remedy: str

    @property
    def position(self) -> str:
        """Where, in words: file, member and byte."""
        place = f"{self.file}!{self.member}" if self.member else self.file
        return place if self.offset is None else f"{place}, byte {self.offset}"


@dataclass(frozen=True)
class ScannedFile:
    """One file that was scanned.

    Args:
        name: Its path, relative to what was scanned.
        size: Its bytes.
        sha256: Their SHA-256; ``None`` where it could not be read.
        kind: What it is by its content, ``"pickle"``.
        looked_into: Whether all of it was looked into.
        members: How many members of archives were looked at inside.
    """

    name: str
    size: int
    sha256: str | None
    kind: str
    looked_into: bool
    members: int = 0


@dataclass(frozen=True)
class Scan:
    """What a scan of a file or a folder gave.

    Args:
        path: What was scanned.
        files: Every file, by its name.
        findings: What was found, the gravest first.
        version: Version of this record.
    """

    path: str
    files: tuple[ScannedFile, ...]
    findings: tuple[ScanFinding, ...]
    version: Literal[1] = 1

    def count(self) -> Mapping[Severity, int]:
        """How many findings have each severity."""
        return {severity: sum(finding.severity == severity for finding in self.findings) for severity in SEVERITIES}

    def at_least(self, severity: Severity) -> tuple[ScanFinding, ...]:
        """The findings of that severity and above."""
        graver = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return tuple(finding for finding in self.findings if finding.severity in graver)

    @property
    def not_looked_into(self) -> tuple[ScannedFile, ...]:
        """The files that hold something the scanner could not look into."""
        return tuple(file for file in self.files if not file.looked_into)
