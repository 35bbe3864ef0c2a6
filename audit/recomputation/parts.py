"""Whether the parts of a bundle tell one thing: the record, the evidence beside it, the public record, and what is left out."""

from __future__ import annotations

from audit.public_record import NOTE, shows_single, write_public
from audit.recomputation.record import Json, Record, read_json
from audit.redactions import PUBLIC, RECORD, why_withheld
from classifier.errors import IntegrityError

_AGAIN, _WHOLE = "run the audit again", "take the whole bundle"


def require_one_record(record: Record) -> None:
    """Refuse a bundle whose parts tell different things: readers of either would take it for the whole.

    Raises:
        IntegrityError: If the record and the evidence beside it differ, one of them tells of a check that the other does not, or a
            file is left out that no published copy leaves out.
    """
    bundle, folder = record.bundle, record.bundle.folder
    with record.understanding():
        single, pictures = single_checks(record), common_pictures(record)
        for name in sorted(bundle.withheld):
            if not why_withheld(name, single, pictures):
                raise IntegrityError(f"{folder / name} is left out, and nothing in it shows single cases", remedy=_WHOLE)
        for check, told in record.evidence.items():
            _require_evidence(record, check, told)
        if record.name == RECORD and PUBLIC in {**bundle.files, **bundle.made} and bundle.read(PUBLIC) != write_public(record.content):
            raise IntegrityError(f"{folder / PUBLIC} is not {RECORD} without single cases", remedy=_AGAIN)
    for name in sorted(bundle.files):
        check = name.removeprefix("evidence/").removesuffix(".age").removesuffix(".json").removesuffix(".safetensors")
        if name.startswith("evidence/") and check not in record.evidence:
            raise IntegrityError(f"{folder / name} is of a check that {record.name} does not tell of", remedy=_AGAIN)


def single_checks(record: Record) -> set[str]:
    """The checks whose evidence shows single cases, or did before the record was made public."""
    public = record.name == PUBLIC
    return {check for check, told in record.evidence.items() if shows_single(told) or (public and NOTE in told["notes"])}


def common_pictures(record: Record) -> set[str]:
    """The figures, each with its check, that show no single case."""
    shown = [(check, figure) for check, told in record.evidence.items() for figure in told["figures"]]
    return {f"{check}.{figure['name']}" for check, figure in shown if not figure.get("single", True)}


def _require_evidence(record: Record, check: str, told: Json) -> None:
    bundle, name = record.bundle, f"evidence/{check}.json"
    if name in bundle.withheld:
        return
    if name not in bundle.files:
        raise IntegrityError(f"{bundle.folder / name} is missing: {record.name} tells of that check", remedy=_WHOLE)
    if read_json(bundle, name) != told:
        raise IntegrityError(f"{bundle.folder / name} and {record.name} tell different things of one check", remedy=_AGAIN)
