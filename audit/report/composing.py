"""Composing: from an audit's record to a document in one language, before anything is known of pages or of markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from audit.bundle import Audit
from audit.controls import Matrix
from audit.policy import Policy
from audit.report.catalogue import read_catalogue
from audit.report.contents import Contents
from audit.report.document import Document, Part
from audit.report.marking import marked
from audit.report.parts.artefacts import artefacts_part
from audit.report.parts.choices import ROOMS
from audit.report.parts.controls import controls_part
from audit.report.parts.details import room_details
from audit.report.parts.glossary import glossary_part
from audit.report.parts.limits import limits_part
from audit.report.parts.register import register_details, register_part
from audit.report.parts.reproduce import moment, reproduce_part
from audit.report.parts.rooms import room_part
from audit.report.parts.scope import scope_details, scope_part
from audit.report.parts.trace import is_traced, trace_part
from audit.report.parts.verdict import assessment, verdict_part
from classifier.records import as_record, canonical_json, sha256

_ID_DIGITS = 12


def compose(
    audit: Audit,
    *,
    language: str = "en",
    run: Mapping[str, Any] | None = None,
    policy: Policy | None = None,
    matrices: Sequence[Matrix] = (),
    digest: str | None = None,
) -> Document:
    """What a report says, the same for the same record: a body of ten parts, and an appendix.

    Args:
        audit: The record.
        language: Tag of a catalogue.
        run: What ``run.json`` holds, all of which may be absent: ``started``, ``seconds`` by stage, ``hardware`` by part, ``seal``
            with ``file``, ``recipients``, ``digest`` and ``opened_again``, ``signers`` (names), ``revision``, and ``responses``, by
            rule, with ``owner``, ``response``, ``due`` and ``status``.
        policy: The policy that judged, so that waivers which have expired are shown too.
        matrices: The laws and standards that were chosen, each clause with what answers it.
        digest: SHA-256 of ``audit.json``, where it was written by an earlier release; by default that of the record as it is written now.

    Raises:
        ConfigurationError: If there is no catalogue of the language.
        CatalogueError: If the record holds something that the catalogue has no words for.
    """
    say = read_catalogue(language)
    contents = Contents(audit, say, policy, run or {})
    identity, started = audit.identity, contents.run.get("started", "")
    told = {"id": (digest or _digest(audit))[:_ID_DIGITS], "revision": str(contents.run.get("revision", "1"))}
    measured = [say("report.started", {"started": moment(started)})] if started else []
    document = Document(
        language=say("language.tag"),
        title=identity.name,
        kind=say("report.kind"),
        subtitle=contents.wording.sentences(assessment(contents), *measured, say("report.cited", told)),
        id=told["id"],
        revision=told["revision"],
        date=started[:10],
        footer=say("report.footer", {"name": identity.name, **told}),
        parts=(*_body(contents), *_appendix(contents, matrices)),
    )
    return marked(document)


def _digest(audit: Audit) -> str:
    """The SHA-256 of ``audit.json``, by which a report is cited and its record found."""
    record = replace(audit, evidence=tuple(replace(evidence, arrays={}) for evidence in audit.evidence))
    return sha256(canonical_json(as_record(record)) + b"\n")


def _body(contents: Contents) -> tuple[Part, ...]:
    rooms = (room_part(contents, room) for room in ROOMS)
    return (verdict_part(contents), scope_part(contents), *rooms, register_part(contents), limits_part(contents))


def _appendix(contents: Contents, matrices: Sequence[Matrix]) -> tuple[Part, ...]:
    details = (room_details(contents, room) for room in ROOMS if contents.evidence(room))
    return (
        scope_details(contents),
        *details,
        artefacts_part(contents),
        *([register_details(contents)] if contents.audit.findings else []),
        *([trace_part(contents)] if any(map(is_traced, contents.audit.findings)) else []),
        *([controls_part(contents, matrices)] if matrices else []),
        reproduce_part(contents),
        glossary_part(contents),
    )
