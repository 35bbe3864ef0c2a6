"""What a published bundle leaves out, in ``redactions.json``: each file by name, digest and reason.

The manifests stay as the audit wrote them, so that their signature holds, and so that whoever is given a file later can hold it
against its digest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from audit.strict_json import parse_strictly
from classifier.errors import IntegrityError
from classifier.records import canonical_json

RECORD, PUBLIC, REDACTIONS = "audit.json", "audit.public.json", "redactions.json"
VERSION = 1
#: Why a file is left out; there is no other reason.
ROWS, CASES, SEALED, DRAWN = REASONS = (
    "results row by row",
    "shows single cases",
    "sealed, and of no use to whom it is not sealed",
    "drawn from the whole record; draw it again from the public one",
)
# What is made of metrics and verdicts alone, and what a person wrote. Everything else stays behind, whatever it is.
_KEPT = (
    PUBLIC,
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
_DIGEST = re.compile("[0-9a-f]{64}")
_SOURCE = "take the copy from its source, or publish the bundle again"


@dataclass(frozen=True)
class Withheld:
    """A file that was left out.

    Args:
        sha256: Its digest, as the manifest has it.
        reason: Why.
    """

    sha256: str
    reason: str


@dataclass(frozen=True)
class Redactions:
    """What a published copy lacks, and what it has in its place.

    Args:
        withheld: What was left out, by its path in the bundle.
        made: SHA-256 of what was made for the copy: the record without single cases, where the audit itself wrote none.
    """

    withheld: Mapping[str, Withheld] = field(default_factory=dict)
    made: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The content of ``redactions.json``."""
        withheld = {name: {"sha256": file.sha256, "reason": file.reason} for name, file in self.withheld.items()}
        return canonical_json({"version": VERSION, "withheld": withheld, "made": dict(self.made)}) + b"\n"

    @classmethod
    def from_json(cls, content: bytes, source: str) -> Redactions:
        """Read what `to_json` wrote.

        Args:
            content: The file.
            source: Where it came from, for errors.

        Raises:
            IntegrityError: If it holds anything else.
        """
        document = parse_strictly(content, source)
        version = document.get("version") if isinstance(document, dict) else None
        if type(version) is int and version > VERSION:
            raise IntegrityError(
                f"{source} is of version {version}, and this release reads version {VERSION}", remedy="use a newer release of Assay"
            )
        if version != VERSION or document.keys() != {"version", "withheld", "made"}:
            raise IntegrityError(f"{source} does not say what was left out", remedy=_SOURCE)
        withheld, made = document["withheld"], document["made"]
        if not isinstance(withheld, dict) or not all(map(_is_file, withheld.values())):
            raise IntegrityError(f"{source} does not name each file with its digest and a reason", remedy=_SOURCE)
        for name in sorted(withheld.keys() & set(_KEPT)):
            raise IntegrityError(f"{source} says that {name} is left out, which no copy leaves out", remedy=_SOURCE)
        if not isinstance(made, dict) or not made.keys() <= {PUBLIC} or not all(map(_is_digest, made.values())):
            raise IntegrityError(f"{source} names something that was made for the copy and is not {PUBLIC}", remedy=_SOURCE)
        return cls({name: Withheld(**file) for name, file in withheld.items()}, made)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"sha256", "reason"} and _is_digest(value["sha256"]) and value["reason"] in REASONS


def why_withheld(name: str, single: Collection[str], pictures: Container[str]) -> str:
    """Why a file stays behind; empty where it does not.

    Args:
        name: Its path in the bundle.
        single: The checks whose evidence shows single cases.
        pictures: The figures, each with its check, that show none.
    """
    if name.endswith(".age"):
        return SEALED
    if fnmatchcase(name, "evidence/*.safetensors"):
        return ROWS
    if fnmatchcase(name, "evidence/*.json"):
        return CASES if name.removeprefix("evidence/").removesuffix(".json") in single else ""
    if name == RECORD:
        return CASES if single else ""
    picture = _PICTURE.fullmatch(name)
    if name in _KEPT or (picture is not None and picture["figure"] in pictures):
        return ""
    return CASES if picture is not None else DRAWN
