"""Whether opening the files of the classifier would run code, and whether they are what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.check import Check, register
from audit.evidence import Evidence, Table
from audit.subject import Need, Subject
from audit.supply_chain.findings import SEVERITIES, Scan, ScannedFile
from audit.supply_chain.scanning import scan_together
from classifier.errors import ConfigurationError
from classifier.metric import Metric
from classifier.seeds import Seed


@register
@dataclass(frozen=True, kw_only=True)
class Files(Check):
    """Scans every file that the classifier was brought in, and loads none.

    Args:
        limit: Most findings that the table lists, the gravest first; all are counted.
    """

    limit: int = 50
    metrics: ClassVar = ("supply_chain.findings", "supply_chain.files", "supply_chain.files_not_looked_into")
    needs: ClassVar[frozenset[Need]] = frozenset({"files"})

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ConfigurationError(f"limit must be at least 1, got {self.limit}")

    def forward_rows(self, rows: int) -> int:
        """None: it asks the files, not the classifier."""
        return 0

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        found = scan_together(subject.files)
        files, missed = len(found.files), len(found.not_looked_into)
        counts = [
            Metric.counted(
                "supply_chain.findings",
                found.count()[severity],
                files,
                better="lower",
                where={"severity": severity},
            )
            for severity in SEVERITIES
        ]
        return Evidence(
            check=self.id,
            metrics=(
                *counts,
                Metric.counted("supply_chain.files", files, files),
                Metric.counted("supply_chain.files_not_looked_into", missed, files, better="lower"),
            ),
            tables=tuple(table for table in (self._findings(found), _listed(found)) if table.rows),
            parameters=self.options(),
            seed=seed.value,
            notes=("supply_chain.files_alone",),
        )

    def _findings(self, found: Scan) -> Table:
        rows = tuple((f.severity, f.position, f.rule, f.reason, f.remedy) for f in found.findings[: self.limit])
        return Table("findings", ("severity", "place", "rule", "reason", "remedy"), rows)


def scanned_files(evidence: Evidence) -> tuple[ScannedFile, ...]:
    """The files that the check scanned, as its evidence has them: a bill of materials states what was looked at, not what is there now."""
    rows = [dict(zip(table.columns, row, strict=True)) for table in evidence.tables if table.name == "files" for row in table.rows]
    return tuple(
        ScannedFile(str(row["file"]), int(str(row["size"])), None if row["sha256"] is None else str(row["sha256"]), str(row["kind"]), True)
        for row in rows
    )


def _listed(found: Scan) -> Table:
    return Table("files", ("file", "kind", "size", "sha256"), tuple((f.name, f.kind, f.size, f.sha256) for f in found.files))
