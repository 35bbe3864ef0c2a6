"""Whether opening the files of the classifier would run code, and whether they are what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.check import Check, register
from audit.evidence import Evidence, Table
from audit.subject import Need, Subject
from audit.supply_chain.findings import SEVERITIES, Scan
from audit.supply_chain.scanning import scan
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
        scans = [scan(path) for path in subject.files]
        files = sum(len(found.files) for found in scans)
        missed = sum(len(found.not_looked_into) for found in scans)
        counts = [
            Metric.counted(
                "supply_chain.findings",
                sum(found.count()[severity] for found in scans),
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
            tables=tuple(table for table in (self._findings(scans), _listed(scans)) if table.rows),
            parameters=self.options(),
            seed=seed.value,
            notes=("supply_chain.files_alone",),
        )

    def _findings(self, scans: list[Scan]) -> Table:
        found = sorted((f for one in scans for f in one.findings), key=lambda f: SEVERITIES.index(f.severity))
        rows = tuple((f.severity, f.position, f.rule, f.reason, f.remedy) for f in found[: self.limit])
        return Table("findings", ("severity", "place", "rule", "reason", "remedy"), rows)


def _listed(scans: list[Scan]) -> Table:
    rows = tuple((file.name, file.kind, file.size, file.sha256) for one in scans for file in one.files)
    return Table("files", ("file", "kind", "size", "sha256"), rows)
