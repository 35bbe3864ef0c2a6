"""What a published bundle leaves out, in ``redactions.json``: each file by name, digest and reason.

The manifests stay as the audit wrote them, so that their signature holds, and so that whoever is given a file later can hold it
against its digest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.strict_json import parse_strictly
from classifier.errors import IntegrityError
from classifier.records import canonical_json

RECORD, PUBLIC, REDACTIONS = "audit.json", "audit.public.json", "redactions.json"
VERSION = 1
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
        if not isinstance(made, dict) or not made.keys() <= {PUBLIC} or not all(map(_is_digest, made.values())):
            raise IntegrityError(f"{source} names something that was made for the copy and is not {PUBLIC}", remedy=_SOURCE)
        return cls({name: Withheld(**file) for name, file in withheld.items()}, made)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _is_file(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"sha256", "reason"}
        and _is_digest(value["sha256"])
        and isinstance(value["reason"], str)
    )
