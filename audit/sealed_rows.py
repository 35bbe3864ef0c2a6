"""Evidence about single cases, sealed where what was measured was sealed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from audit.evidence import Evidence, Figure, Table
from classifier.errors import UnsealError
from classifier.records import as_record, canonical_json, parse_record

#: The note that a reader finds where something was taken out.
NOTE = "evidence.sealed"
_KEPT = "assay"


@dataclass(frozen=True)
class Single:
    """What a check found of single cases, beside its arrays.

    Args:
        tables: Tables that show their values.
        figures: Pictures that do.
        version: Version of this record.
    """

    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    version: int = 1


@dataclass(frozen=True)
class SealedRows:
    """Who may read what a check found of single cases.

    Args:
        recipients: To whom it is sealed.
        encrypt: Seals bytes to them, such as `audit.vault.encrypt_bytes` with `recipients` filled in.
        decrypt: Opens such bytes again, or ``None`` where nothing at hand does: a pipeline may seal to others alone.
    """

    recipients: tuple[str, ...]
    encrypt: Callable[[bytes], bytes]
    decrypt: Callable[[bytes], bytes] | None = None

    def seal(self, evidence: Evidence) -> bytes:
        """The part about single cases as a sealed safetensors file: its arrays, and the rest in the metadata."""
        return self.encrypt(write_single(evidence))

    def open(self, content: bytes, public: Evidence) -> Evidence | None:
        """The whole evidence again, or ``None`` where it does not open."""
        try:
            return None if self.decrypt is None else with_single(public, self.decrypt(content))
        except UnsealError:
            return None


def about_single_cases(evidence: Evidence) -> bool:
    """Whether any of it is."""
    shown = [table.single for table in evidence.tables] + [figure.single for figure in evidence.figures]
    return bool(evidence.arrays) or any(shown)


def without_single(evidence: Evidence) -> Evidence:
    """Evidence that anyone may read, with a note where something was taken out."""
    if not about_single_cases(evidence):
        return evidence
    return replace(
        evidence,
        tables=tuple(table for table in evidence.tables if not table.single),
        figures=tuple(figure for figure in evidence.figures if not figure.single),
        notes=(*(note for note in evidence.notes if note != NOTE), NOTE),
        arrays={},
    )


def with_single(public: Evidence, content: bytes) -> Evidence:
    """Put back what `write_single` wrote.

    Raises:
        IntegrityError: If `content` holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    from classifier.errors import IntegrityError
    from classifier.formats.safetensors_layout import parse_layout

    try:
        arrays: dict[str, Any] = load(content)
    except SafetensorError as error:
        raise IntegrityError(f"the sealed part of {public.check} holds no evidence: {error}", remedy="run the audit again") from error
    length = int.from_bytes(content[:8], "little")
    told = parse_layout(content[8 : 8 + length], len(content) - 8 - length).metadata.get(_KEPT, "")
    single = parse_record(Single, told.encode(), f"the sealed part of {public.check}")
    return replace(
        public,
        tables=(*public.tables, *single.tables),
        figures=(*public.figures, *single.figures),
        notes=tuple(note for note in public.notes if note != NOTE),
        arrays=arrays,
    )


def write_single(evidence: Evidence) -> bytes:
    """Arrays, tables and figures about single cases, as a safetensors file."""
    import numpy as np
    from safetensors.numpy import save

    tables = tuple(table for table in evidence.tables if table.single)
    figures = tuple(figure for figure in evidence.figures if figure.single)
    told = canonical_json(as_record(Single(tables, figures))).decode()
    return bytes(save({name: np.ascontiguousarray(array) for name, array in evidence.arrays.items()}, {_KEPT: told}))
