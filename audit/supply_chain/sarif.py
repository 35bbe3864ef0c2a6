"""A scan as SARIF 2.1.0 (OASIS), which code hosts and editors read."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from audit.supply_chain.findings import Scan, ScanFinding, Severity
from audit.supply_chain.rules import RULES

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: dict[Severity, str] = {"high": "error", "medium": "warning", "low": "note"}
# What code hosts sort by: severities of security findings, from 0 to 10.
_SCORES: dict[Severity, str] = {"high": "8.0", "medium": "5.0", "low": "2.0"}


def as_sarif(scan: Scan) -> dict[str, Any]:
    """The scan as one run of SARIF, the same for the same scan."""
    used = sorted({finding.rule for finding in scan.findings})
    names = {file.name: position for position, file in enumerate(scan.files)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "assay scan", "rules": [_rule(rule) for rule in used]}},
                "columnKind": "utf16CodeUnits",
                "artifacts": [_artifact(name, size, digest) for name, size, digest in _artifacts(scan)],
                "results": [_result(finding, used.index(finding.rule), names) for finding in scan.findings],
            }
        ],
    }


def _artifacts(scan: Scan) -> list[tuple[str, int, str | None]]:
    return [(file.name, file.size, file.sha256) for file in scan.files]


def _artifact(name: str, size: int, digest: str | None) -> dict[str, Any]:
    hashes = {"hashes": {"sha-256": digest}} if digest is not None else {}
    return {"location": {"uri": _uri(name)}, "length": size, **hashes}


def _rule(rule: str) -> dict[str, Any]:
    known = RULES[rule]
    return {
        "id": rule,
        "shortDescription": {"text": known.title},
        "help": {"text": f"{known.remedy[:1].upper()}{known.remedy[1:]}."},
        "defaultConfiguration": {"level": _LEVELS[known.severity]},
        "properties": {"security-severity": _SCORES[known.severity], "tags": ["security", "supply-chain"]},
    }


def _result(finding: ScanFinding, index: int, names: dict[str, int]) -> dict[str, Any]:
    artifact: dict[str, Any] = {"uri": _uri(finding.file)}
    if finding.file in names:
        artifact["index"] = names[finding.file]
    physical: dict[str, Any] = {"artifactLocation": artifact}
    # A byte inside an archive is no byte of the file.
    if finding.offset is not None and not finding.member:
        physical["region"] = {"byteOffset": finding.offset}
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.member:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.position, "kind": "member"}]
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.position}: {finding.reason}. Next: {finding.remedy}."},
        "locations": [location],
    }


def _uri(name: str) -> str:
    return quote(str(PurePosixPath(name)), safe="/")
