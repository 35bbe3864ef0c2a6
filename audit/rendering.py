"""Rendering: the reports and figures of an audit, each language composed and drawn once for all formats."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from audit.bundle import Audit, verify_bundle
from audit.controls import matrix, read_law
from audit.policy import Policy
from audit.policy_part import ReportPart
from audit.report import compose, draw_all, set_html, write_figures
from audit.report.catalogue import read_catalogue
from audit.report.document import FORMATS, Document, Format
from audit.report.pdf import render_pdf
from audit.strict_json import parse_strictly
from classifier.errors import ConfigurationError
from classifier.records import sha256, write_atomically


@dataclass(frozen=True)
class Source:
    """What reports are made of: a bundle holds all of it.

    Args:
        audit: The record.
        record: What ``audit.json`` holds, byte by byte, which a PDF carries inside.
        run: What ``run.json`` holds, with ``started``.
        policy: The policy that judged, if any did.
        laws: Laws and standards whose clauses are shown.
    """

    audit: Audit
    record: bytes
    run: Mapping[str, Any]
    policy: Policy | None
    laws: tuple[str, ...] = ()

    def document(self, language: str) -> Document:
        """What the report says in a language."""
        say = read_catalogue(language)
        matrices = [matrix(read_law(law), self.audit, say) for law in self.laws]
        return compose(self.audit, language=language, run=self.run, policy=self.policy, matrices=matrices, digest=sha256(self.record))


def read_source(folder: Path) -> tuple[Source, tuple[str, ...]]:
    """What the reports of a bundle are made of, and the languages that its configuration asks for.

    Args:
        folder: The bundle.

    Raises:
        IntegrityError: If a file of it was changed, is missing, or is named nowhere.
    """
    audit, bundle = Audit.load(folder), verify_bundle(folder)
    # A bundle may be without it, and in one of an earlier release the rest may hold what this one would not take any more.
    configuration = tomllib.loads(bundle.read("audit.toml").decode()) if "audit.toml" in bundle.files else {}
    report = ReportPart(**configuration.get("report", {}))
    policy = Policy.read(folder / "policy.toml") if "policy.toml" in bundle.files else None
    run = parse_strictly(bundle.read("run.json"), "run.json")
    source = Source(audit, bundle.read(bundle.record), run, policy, report.shown(policy))
    return source, tuple(configuration.get("audit", {}).get("languages", ("en",)))


@dataclass(frozen=True)
class Rendered:
    """What was written, and what could not be.

    Args:
        files: The reports.
        missing: The formats that could not be written, each with the reason and its remedy.
    """

    files: tuple[Path, ...]
    missing: Mapping[Format, ConfigurationError]


def write_reports(
    source: Source,
    folder: Path,
    *,
    languages: Sequence[str],
    formats: Sequence[Format] = FORMATS,
    figures: Path | None = None,
    processes: int = 1,
) -> Rendered:
    """Write ``report.<language>.<format>`` for each language and format.

    A format whose package is not installed is left out, and the others are written all the same.

    Args:
        source: What they are made of.
        folder: Where to.
        languages: Tags of catalogues.
        formats: Which formats.
        figures: Where to write each picture as a file of its own too.
        processes: How many languages are set at a time, each in a process of its own.

    Raises:
        ConfigurationError: If there is no catalogue of a language.
        StorageError: If the folder cannot be written.
    """
    write = partial(_write, source, folder, formats, figures)
    if min(processes, len(languages)) > 1:
        # A process that was split off from one with threads may wait for their locks for ever: each begins anew.
        with ProcessPoolExecutor(min(processes, len(languages)), mp_context=get_context("spawn")) as pool:
            written = list(pool.map(write, languages))
    else:
        written = [write(language) for language in languages]
    return Rendered(
        tuple(path for one in written for path in one.files), {kind: error for one in written for kind, error in one.missing.items()}
    )


def _write(source: Source, folder: Path, formats: Sequence[Format], figures: Path | None, language: str) -> Rendered:
    document = source.document(language)
    pictures = draw_all(document)
    if figures is not None:
        write_figures(source.audit, figures, language=language, drawn=pictures)
    contents: dict[Format, bytes] = {}
    missing: dict[Format, ConfigurationError] = {}
    if "html" in formats:
        contents["html"] = set_html(document, pictures).encode()
    if "pdf" in formats:
        # The time of the run and not of the rendering: the same bundle gives the same bytes.
        created = datetime.datetime.fromisoformat(source.run["started"])
        try:
            contents["pdf"] = render_pdf(document, pictures, record=source.record, created=created)
        except ConfigurationError as error:
            missing["pdf"] = error
    files = {folder / f"report.{language}.{kind}": content for kind, content in contents.items()}
    for path, content in files.items():
        write_atomically(path, content)
    return Rendered(tuple(files), missing)
