"""A look: where the scanner is, what it may still spend, and what it has found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from audit.supply_chain.findings import ScanFinding, Severity
from audit.supply_chain.rules import RULES
from audit.supply_chain.source import Source

# Findings of one rule in one file beyond this are counted, not listed: a hostile file could hold millions.
MOST_OF_A_RULE = 20
# Archives inside archives, and pickles inside pickles.
DEEPEST = 6


class Note(NamedTuple):
    """What a parser that knows no file reports: a rule, a byte and a reason."""

    rule: str
    offset: int | None
    reason: str


@dataclass
class Budget:
    """What may still be unpacked out of one file, in bytes and in members."""

    bytes: int = 1 << 36
    members: int = 200_000


@dataclass
class Journal:
    """What was found in one file.

    Args:
        file: Its name, as it is shown.
    """

    file: str
    findings: list[ScanFinding] = field(default_factory=list)
    beyond: Counter[str] = field(default_factory=Counter)
    looked_into: bool = True
    members: int = 0
    ranges: set[tuple[Path, int, int]] = field(default_factory=set)
    claimed: Counter[Path] = field(default_factory=Counter)

    def add(self, rule: str, reason: str, *, member: str = "", offset: int | None = None, severity: Severity | None = None) -> None:
        """Write down a finding, or count it where there are many of its rule."""
        known = RULES[rule]
        finding = ScanFinding(rule, severity or known.severity, self.file, member, offset, reason, known.remedy)
        if any((f.rule, f.member, f.reason) == (rule, member, reason) for f in self.findings if f.rule == rule):
            return
        if sum(f.rule == rule for f in self.findings) < MOST_OF_A_RULE:
            self.findings.append(finding)
        else:
            self.beyond[rule] += 1

    def claim(self, path: Path, begin: int, length: int) -> int:
        """How many bytes of another file the ranges take that were claimed up to this one; 0 where it was claimed before."""
        if (path, begin, length) in self.ranges:
            return 0
        self.ranges.add((path, begin, length))
        self.claimed[path] += length
        return self.claimed[path]

    def close(self) -> tuple[ScanFinding, ...]:
        """All findings; of rules that were found too often to list, one that says how often."""
        for rule, count in self.beyond.items():
            known = RULES[rule]
            self.findings.append(ScanFinding(rule, known.severity, self.file, "", None, f"{count} more of these", known.remedy))
        self.beyond.clear()
        return tuple(self.findings)


@dataclass(frozen=True)
class Look:
    """One byte range that is looked into: a file, or a member of an archive.

    Args:
        source: Its bytes.
        name: What it calls itself, by which a loader would choose how to open it.
        journal: Where findings go.
        budget: What may still be unpacked.
        member: Path inside the file, empty for the file itself.
        depth: How many archives it lies in.
        path: The file on the disk, for what it says about its neighbours.
        root: The folder out of which nothing may lead.
        advance: Told how many bytes were read.
        into: Looks into a member, whatever it is.
    """

    source: Source
    name: str
    journal: Journal
    budget: Budget = field(default_factory=Budget)
    member: str = ""
    depth: int = 0
    path: Path | None = None
    root: Path | None = None
    advance: Callable[[int], None] = lambda count: None
    into: Callable[[Look], object] = lambda look: None

    def find(self, rule: str, reason: str, offset: int | None = None, *, severity: Severity | None = None) -> None:
        """Report something about this range."""
        self.journal.add(rule, reason, member=self.member, offset=offset, severity=severity)

    def note(self, note: Note) -> None:
        """Report what a parser noted."""
        self.find(note.rule, note.reason, note.offset)

    def unseen(self, rule: str, reason: str, offset: int | None = None, *, severity: Severity | None = None) -> None:
        """Report something that cannot be looked into."""
        self.journal.looked_into = False
        self.find(rule, reason, offset, severity=severity)

    def reading(self, source: Source) -> Look:
        """The same look at other bytes, as of a member once it is unpacked."""
        return replace(self, source=source)

    def inside(self, name: str, source: Source, *, shown: str | None = None) -> Look:
        """The look at a member of this range."""
        label = shown if shown is not None else name
        self.journal.members += 1
        return replace(
            self, source=source, name=name, member=f"{self.member}!{label}" if self.member else label, depth=self.depth + 1, path=None
        )


def harmless(text: str) -> str:
    """A name from a hostile file, whole, without characters that command a terminal or turn its order around."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def printable(text: str) -> str:
    """A name from a hostile file as it may be shown: harmless, and short."""
    clean = harmless(text)
    return clean if len(clean) <= 200 else f"{clean[:150]}...{clean[-40:]}"
