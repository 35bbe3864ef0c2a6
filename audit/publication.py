"""A copy of a bundle for the public: nothing about single cases in it, and each file that it lacks named with its digest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from audit.manifests import ATTESTATION, TIMESTAMP, VerifiedBundle, read_attestation, read_timestamp, verify_bundle
from audit.public_record import shows_single, write_public
from audit.recomputation import Record, require_one_record
from audit.redactions import PUBLIC, RECORD, REDACTIONS, Redactions, Withheld
from classifier.errors import ConfigurationError, IntegrityError
from classifier.records import folder_atomically, require_replaceable, sha256, write_atomically

ROWS, CASES, SEALED, DRAWN = (
    "results row by row",
    "shows single cases",
    "sealed, and of no use to whom it is not sealed",
    "drawn from the whole record; draw it again from the public one",
)
# What is made of metrics and verdicts alone, and what a person wrote. Everything else stays behind, whatever it is.
_KEPT = (
    "audit.toml",
    "policy.toml",
    "run.json",
    "exports/junit.xml",
    "exports/results.sarif",
    "exports/oscal-assessment-results.json",
    "exports/mlbom.cdx.json",
    "exports/model-card.md",
    "exports/audit.schema.json",
    "exports/badge.svg",
)
_PICTURE = re.compile(r"figures/(?P<figure>.+)\.(?P<language>[A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*)\.(?:svg|png)")


@dataclass(frozen=True)
class Published:
    """What became of a bundle.

    Args:
        folder: The copy.
        kept: The files that it has of the bundle.
        redactions: What it lacks, and what was made for it.
    """

    folder: Path
    kept: tuple[str, ...]
    redactions: Redactions


def publish(bundle: Path, destination: Path) -> Published:
    """Copy a bundle without what is about single cases.

    The manifests, the signature and the time stamp are copied as they are, so that they verify. The same bundle gives the same copy,
    byte for byte: who holds the whole one can tell that nothing else was changed.

    Args:
        bundle: The bundle, which is verified first.
        destination: Folder of the copy; an earlier copy there is replaced.

    Raises:
        IntegrityError: If the bundle is not what its manifests say.
        ConfigurationError: If it is a published copy itself, or the copy would lie in it.
        StorageError: If other files lie at the destination, or it cannot be written.
    """
    bundle, destination = bundle.resolve(), destination.resolve()
    if destination == bundle or bundle in destination.parents or destination in bundle.parents:
        raise ConfigurationError(f"{destination} and {bundle} lie in each other", remedy="name a folder beside the bundle")
    verified = verify_bundle(bundle)
    if verified.withheld or verified.made:
        raise ConfigurationError(f"{bundle} is a published copy already", remedy="publish the bundle that it was made from, or pass it on")
    if destination.exists():
        require_replaceable(destination, REDACTIONS)
    record = Record(verified)
    require_one_record(record)
    kept, withheld = _part(verified, record)
    made = {PUBLIC: write_public(record.content)} if RECORD in withheld and PUBLIC not in verified.files else {}
    redactions = Redactions(withheld, {name: sha256(content) for name, content in made.items()})
    with folder_atomically(destination) as draft:
        for name in kept:
            write_atomically(draft / name, verified.read(name))
        for name, content in made.items():
            write_atomically(draft / name, content)
        for name, digest in verified.manifests.items():
            write_atomically(draft / name, _same(bundle / name, digest))
        for name, found in ((ATTESTATION, read_attestation(bundle)), (TIMESTAMP, read_timestamp(bundle))):
            if found is not None:
                write_atomically(draft / name, found)
        write_atomically(draft / REDACTIONS, redactions.to_json())
        verify_bundle(draft)
    return Published(destination, kept, redactions)


def _part(verified: VerifiedBundle, record: Record) -> tuple[tuple[str, ...], dict[str, Withheld]]:
    """The files that go into the copy, and those that do not."""
    single = {check for check, evidence in record.evidence.items() if shows_single(evidence)}
    pictures = {
        f"{check}.{figure['name']}" for check, e in record.evidence.items() for figure in e["figures"] if not figure.get("single", True)
    }
    withheld = {}
    for name, digest in verified.files.items():
        reason = _reason(name, single, pictures)
        if reason:
            withheld[name] = Withheld(digest, reason)
    return tuple(name for name in sorted(verified.files) if name not in withheld), withheld


def _reason(name: str, single: Iterable[str], pictures: Iterable[str]) -> str:
    """Why a file stays behind; empty where it does not."""
    if name.endswith(".age"):
        return SEALED
    if fnmatchcase(name, "evidence/*.safetensors"):
        return ROWS
    if fnmatchcase(name, "evidence/*.json"):
        return CASES if name[len("evidence/") : -len(".json")] in single else ""
    if name == RECORD:
        return CASES if single else ""
    picture = _PICTURE.fullmatch(name)
    if name in (*_KEPT, PUBLIC) or (picture is not None and picture["figure"] in pictures):
        return ""
    return CASES if picture is not None else DRAWN


def _same(path: Path, digest: str) -> bytes:
    content = path.read_bytes()
    if sha256(content) != digest:
        raise IntegrityError(f"{path} was changed since it was verified", remedy="publish again when nothing writes to the bundle")
    return content
