"""One self-contained HTML file of a document: no script, no network, nothing but what the document says."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.bundle import Audit
from audit.controls import Matrix
from audit.policy import Policy
from audit.report.catalogue import read_catalogue
from audit.report.composing import compose
from audit.report.document import Cell, Document, Grid
from audit.report.drawing import draw_all
from audit.report.embedding import embedded

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
# Wider tables scroll; narrower ones become lists on a narrow screen.
_NARROW = 6


def render_html(
    audit: Audit,
    *,
    language: str = "en",
    run: Mapping[str, Any] | None = None,
    policy: Policy | None = None,
    matrices: Sequence[Matrix] = (),
    digest: str | None = None,
) -> str:
    """The report as one HTML file, the same bytes for the same record.

    Args:
        audit: The record.
        language: Tag of a catalogue.
        run: What ``run.json`` holds, as `compose` takes it.
        policy: The policy that judged, so that waivers which have expired are shown too.
        matrices: The laws and standards that were chosen, each clause with what answers it.
        digest: SHA-256 of ``audit.json``, where it was written by an earlier release.

    Raises:
        ConfigurationError: If there is no catalogue of the language.
        CatalogueError: If the record holds something that the catalogue has no words for.
    """
    document = compose(audit, language=language, run=run, policy=policy, matrices=matrices, digest=digest)
    return set_html(document, draw_all(document))


def set_html(document: Document, pictures: Mapping[tuple[str, str], str]) -> str:
    """Set a document as one HTML file.

    Args:
        document: What it says.
        pictures: Its pictures as SVG, by check and figure, as `draw_all` gives them.

    Raises:
        ConfigurationError: If there is no catalogue of the document's language.
    """
    style = (_HERE / "style.css").read_text(encoding="utf-8")
    return (
        _environment()
        .get_template("report.html")
        .render(
            document=document,
            pictures={shown: embedded(svg) for shown, svg in pictures.items()},
            style=style,
            policy_header=_content_policy(style),
            icons={"pass": "✓", "fail": "✗", "inconclusive": "?", "not_run": "–"},
            kind=lambda block: type(block).__name__.lower(),
            named_rows=_named_rows,
            narrow=_NARROW,
            t=read_catalogue(document.language),
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _content_policy(style: str) -> str:
    """Nothing may load or run; the one style sheet is allowed by its digest, and pictures are inside the file."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def _named_rows(grid: Grid) -> list[list[tuple[Cell, ...]]]:
    """The rows of a table, those together that go on under one name."""
    together: list[list[tuple[Cell, ...]]] = []
    for row in grid.rows:
        goes_on = len(row) == 1 or (row[0].text == "" and row[0].verdict is None)
        if goes_on and together:
            together[-1].append(row)
        else:
            together.append([row])
    return together
