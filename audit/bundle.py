"""Audit: the record of one run, and the bundle of files that it is saved as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from audit.evidence import Evidence
from audit.policy import VERDICTS, Finding, Verdict
from classifier.errors import IntegrityError
from classifier.known_answer import KnownAnswer
from classifier.records import canonical_json, read_record, sha256_file, write_atomically, write_record

if TYPE_CHECKING:
    import pandas as pd

RECORD, MANIFEST, RENDERINGS = "audit.json", "manifest.json", "renderings.json"
# What the manifest covers: all that inputs and seed determine.
RECORDED = ("audit.json", "audit.toml", "policy.toml", "evidence/*")


@dataclass(frozen=True)
class Identity:
    """What was audited, by name and digest.

    Args:
        name: Name of the audit.
        classifier: SHA-256 of the classifier; ``None`` where there were predictions only.
        architecture: What kind of classifier it is.
        classes: Name of each class.
        event: The class that is predicted, of two.
        favourable: The class that the person concerned wants.
        threshold: Probability from which the event is presumed.
        features: How many features it takes; of an image, a series, a text or a graph, at all places together.
        data: Digest of each part of the data, by its name.
        rows: Rows of each part.
        independence: How it is known that the test rows were not learned from.
        source: Name and digest of the file that the data came from.
        protected: Protected attributes.
        protected_inputs: Those of them that the classifier is given.
        declarations: What no measurement tells.
    """

    name: str
    classifier: str | None
    architecture: str
    classes: tuple[str, ...]
    event: str | None
    favourable: str | None
    threshold: float
    features: int
    data: Mapping[str, str]
    rows: Mapping[str, int]
    independence: str
    source: Mapping[str, str]
    protected: tuple[str, ...]
    protected_inputs: tuple[str, ...]
    declarations: Mapping[str, str]


@dataclass(frozen=True)
class Audit:
    """Evidence, findings and provenance of one run.

    Args:
        identity: What was audited.
        profile: How thorough it was.
        seed: Where all random numbers came from.
        policy: Id and digest of the policy; empty without one.
        evidence: What was measured, check by check.
        findings: What the policy says of it, rule by rule.
        known_answers: What the engines gave where the truth is known.
        software: Versions that the numbers may depend on.
        interrupted: Whether somebody stopped it before its end.
        version: Version of this record.
    """

    identity: Identity
    profile: str
    seed: int
    policy: Mapping[str, str]
    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]
    known_answers: tuple[KnownAnswer, ...]
    software: Mapping[str, str]
    interrupted: bool = False
    version: Literal[1] = 1

    def __getitem__(self, check: str) -> Evidence:
        for evidence in self.evidence:
            if evidence.check == check:
                return evidence
        raise KeyError(f"the audit holds no evidence of {check!r}; it has {', '.join(e.check for e in self.evidence)}")

    def count(self) -> dict[Verdict, int]:
        """How many findings have each verdict."""
        return {verdict: sum(finding.verdict == verdict for finding in self.findings) for verdict in VERDICTS}

    @property
    def exit_code(self) -> int:
        """0 where nothing is violated, 1 where a rule is, 3 where evidence is missing, 5 where an engine missed a known answer."""
        if not all(answer.holds for answer in self.known_answers):
            return 5
        if any(finding.violated and finding.waived_by is None for finding in self.findings):
            return 1
        undecided = any(finding.verdict in ("inconclusive", "not_run") for finding in self.findings)
        nothing = not any(evidence.not_run is None for evidence in self.evidence)
        return 3 if undecided or nothing or self.interrupted else 0

    def to_frame(self) -> pd.DataFrame:
        """Every metric as a row."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "check": evidence.check,
                    "metric": metric.name,
                    "where": ", ".join(f"{key} = {value}" for key, value in metric.where.items()),
                    "value": metric.value,
                    "low": metric.low,
                    "high": metric.high,
                    "n": metric.n,
                    "bound": metric.bound,
                    "interval": metric.interval,
                    "reason": metric.reason,
                }
                for evidence in self.evidence
                for metric in evidence.metrics
            ]
        )

    def save(self, folder: str | Path) -> None:
        """Write the record into a folder: ``audit.json``, and the evidence of each check."""
        folder = Path(folder)
        for evidence in self.evidence:
            save_evidence(evidence, folder / "evidence")
        write_record(folder / RECORD, replace(self, evidence=tuple(replace(e, arrays={}) for e in self.evidence)))

    @classmethod
    def load(cls, folder: str | Path) -> Audit:
        """Read a bundle, after holding every file against the manifest.

        Raises:
            IntegrityError: If a file was changed, is missing, or is named nowhere.
        """
        folder = Path(folder)
        verify_bundle(folder)
        record = read_record(cls, folder / RECORD)
        return replace(record, evidence=tuple(load_evidence(folder / "evidence", evidence.check) for evidence in record.evidence))

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(finding.rule)}</td><td>{finding.verdict}</td><td>{escape(str(finding.metric or ''))}</td></tr>"
            for finding in self.findings
        )
        head = "<tr><th>rule</th><th>verdict</th><th>measured</th></tr>"
        return f"<p><b>{escape(self.identity.name)}</b>: {len(self.evidence)} checks</p><table>{head}{rows}</table>"


def save_evidence(evidence: Evidence, folder: Path) -> None:
    """Write one check's evidence: JSON for what is read, safetensors for its arrays."""
    if evidence.arrays:
        import numpy as np
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(array) for name, array in evidence.arrays.items()}
        write_atomically(folder / f"{evidence.check}.safetensors", save(arrays))
    write_record(folder / f"{evidence.check}.json", replace(evidence, arrays={}))


def load_evidence(folder: Path, check: str) -> Evidence:
    """Read what `save_evidence` wrote."""
    evidence = read_record(Evidence, folder / f"{check}.json")
    arrays = folder / f"{check}.safetensors"
    if not arrays.exists():
        return evidence
    from safetensors.numpy import load_file

    return replace(evidence, arrays=load_file(arrays))


def write_manifests(folder: Path) -> None:
    """Write the digests of all files in a bundle: those of the record, and those made from it."""
    files = _files(folder)
    recorded = sorted({path for pattern in RECORDED for path in folder.glob(pattern)} & set(files))
    write_atomically(folder / MANIFEST, canonical_json(_digests(folder, recorded)) + b"\n")
    write_atomically(folder / RENDERINGS, canonical_json(_digests(folder, set(files) - set(recorded))) + b"\n")


def verify_bundle(folder: Path) -> int:
    """Hold every file of a bundle against its manifests.

    Returns:
        How many files there are.

    Raises:
        IntegrityError: If a file was changed, is missing, or is named nowhere.
    """
    expected: dict[str, str] = {}
    for name in (MANIFEST, RENDERINGS):
        digests = _read_digests(folder / name)
        for twice in sorted(expected.keys() & digests.keys()):
            raise IntegrityError(f"{folder / twice} is named in two manifests", remedy="take the bundle from its source")
        expected |= digests
    present = {path.relative_to(folder).as_posix() for path in _files(folder)}
    for name in sorted(expected.keys() - present):
        raise IntegrityError(f"{folder / name} is missing", remedy="take the whole bundle, or run the audit again")
    for name in sorted(present - expected.keys()):
        raise IntegrityError(f"{folder / name} is named in no manifest", remedy="somebody added it; take it out, or run the audit again")
    for name, digest in sorted(expected.items()):
        if sha256_file(folder / name) != digest:
            raise IntegrityError(
                f"{folder / name} was changed since the audit", remedy="take the bundle from its source, or run the audit again"
            )
    return len(expected)


def _files(folder: Path) -> list[Path]:
    manifests = {folder / MANIFEST, folder / RENDERINGS}
    return sorted(path for path in folder.rglob("*") if (path.is_file() or path.is_symlink()) and path not in manifests)


def _digests(folder: Path, paths: Iterable[Path]) -> dict[str, Any]:
    return {"version": 1, "sha256": {path.relative_to(folder).as_posix(): sha256_file(path) for path in paths}}


def _read_digests(path: Path) -> dict[str, str]:
    manifest = read_record(dict[str, Any], path)
    digests = manifest.get("sha256")
    if not isinstance(digests, dict) or not all(isinstance(name, str) and isinstance(d, str) for name, d in digests.items()):
        raise IntegrityError(f"{path} is no manifest", remedy="take the bundle from its source, or run the audit again")
    if any(name.startswith("/") or ".." in Path(name).parts for name in digests):
        raise IntegrityError(f"{path} names a file outside the bundle")
    return digests
