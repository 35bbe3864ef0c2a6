"""Audit: the record of one run, and the bundle of files that it is saved as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from audit.evidence import Evidence
from audit.manifests import VerifiedBundle, verify_bundle, write_manifests
from audit.policy import VERDICTS, Finding, Policy, Verdict
from audit.policy.writing import policy_text
from audit.recomputation.record import LONGEST, require_readable
from audit.sealed_rows import SealedRows, about_single_cases, with_single, without_single
from audit.strict_json import parse_strictly
from classifier.known_answer import KnownAnswer
from classifier.records import parse_record, read_record, write_atomically, write_record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RECORD", "Audit", "Identity", "load_evidence", "save_evidence", "verify_bundle", "write_manifests"]

RECORD = "audit.json"


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
        trust: SHA-256 of the trust store, if one was named, and on whose word a sealed classifier was opened.
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
    trust: Mapping[str, Any] = field(default_factory=dict)
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

    def save(self, folder: str | Path, *, rows: SealedRows | None = None, policy: Policy | None = None) -> None:
        """Write the record into a folder: ``audit.json``, the evidence of each check, and ``policy.toml``.

        Args:
            folder: Where to.
            rows: To whom that which is about single cases is sealed; ``None`` leaves it plain.
            policy: The policy that judged, without which nobody can judge again: `assay verify` asks for it where the record
                names one.
        """
        folder = Path(folder)
        if policy is not None:
            write_atomically(folder / "policy.toml", policy_text(policy).encode())
        for evidence in self.evidence:
            save_evidence(evidence, folder / "evidence", rows)
        shown = self if rows is None else self.without_single()
        write_record(folder / RECORD, replace(shown, evidence=tuple(replace(e, arrays={}) for e in shown.evidence)))

    def without_single(self) -> Audit:
        """What anyone may read of an audit of sealed data: nothing about single cases."""
        return replace(self, evidence=tuple(map(without_single, self.evidence)))

    @classmethod
    def load(cls, folder: str | Path, *, decrypt: Callable[[bytes], bytes] | None = None) -> Audit:
        """Read a bundle, after holding every file against the manifest.

        Args:
            folder: The bundle.
            decrypt: Opens what is sealed, such as `audit.vault.decrypt_bytes` with `identities` filled in; without it, that is
                left out.

        Raises:
            IntegrityError: If a file was changed, is missing, or is named nowhere, or what is sealed does not open.
        """
        verified = verify_bundle(Path(folder))
        # Of a published copy, the record without single cases; a newer one is refused by its number, before it is read.
        content, source = verified.read(verified.record), str(verified.folder / verified.record)
        require_readable(parse_strictly(content, source, longest=LONGEST), source)
        record = parse_record(cls, content, source)
        return replace(record, evidence=tuple(_verified_evidence(verified, evidence, decrypt) for evidence in record.evidence))

    def _repr_html_(self) -> str:
        from audit.notebook import audit_html

        return audit_html(self)


def save_evidence(evidence: Evidence, folder: Path, rows: SealedRows | None = None) -> None:
    """Write one check's evidence: JSON for what is read, safetensors for its arrays.

    Where `rows` says to whom, all that is about single cases goes into one sealed file instead.
    """
    plain = folder / f"{evidence.check}.safetensors"
    for stale in (plain, _sealed(plain)):
        stale.unlink(missing_ok=True)
    if rows is not None and about_single_cases(evidence):
        write_atomically(_sealed(plain), rows.seal(evidence))
        evidence = without_single(evidence)
    elif evidence.arrays:
        import numpy as np
        from safetensors.numpy import save

        write_atomically(plain, save({name: np.ascontiguousarray(array) for name, array in evidence.arrays.items()}))
    write_record(folder / f"{evidence.check}.json", replace(evidence, arrays={}))


def load_evidence(folder: Path, check: str, rows: SealedRows | None = None) -> Evidence | None:
    """Read what `save_evidence` wrote; ``None`` where some of it is sealed and `rows` does not open it."""
    evidence = read_record(Evidence, folder / f"{check}.json")
    arrays = folder / f"{check}.safetensors"
    if _sealed(arrays).exists():
        return None if rows is None else rows.open(_sealed(arrays).read_bytes(), evidence)
    return replace(evidence, arrays=_arrays(arrays.read_bytes())) if arrays.exists() else evidence


def _verified_evidence(bundle: VerifiedBundle, told: Evidence, decrypt: Callable[[bytes], bytes] | None) -> Evidence:
    """The same from the bytes that the manifest names, whatever has become of the files since."""
    check, name = told.check, f"evidence/{told.check}.json"
    if name in bundle.withheld:
        return told
    evidence = parse_record(Evidence, bundle.read(name), str(bundle.folder / name))
    arrays = f"evidence/{check}.safetensors"
    if f"{arrays}.age" in bundle.files and decrypt is not None:
        return with_single(evidence, decrypt(bundle.read(f"{arrays}.age")))
    return replace(evidence, arrays=_arrays(bundle.read(arrays))) if arrays in bundle.files else evidence


def _arrays(content: bytes) -> dict[str, Any]:
    from safetensors.numpy import load

    return dict(load(content))


def _sealed(path: Path) -> Path:
    return path.with_name(f"{path.name}.age")
