"""One self-contained HTML file of an audit: no script, no network, every number from the record."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.bundle import Audit
from audit.policy import VERDICTS, Policy
from audit.report.catalogue import read_catalogue
from audit.report.contents import Contents
from audit.report.figures import draw_svg
from audit.report.wording import Wording

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent


def render_html(audit: Audit, *, language: str = "en", run: Mapping[str, Any] | None = None, policy: Policy | None = None) -> str:
    """The report as one HTML file, the same bytes for the same record.

    Args:
        audit: The record.
        language: Tag of a catalogue.
        run: What ``run.json`` holds: ``started``, ``seconds`` by stage, ``hardware`` by part, and ``seal`` with ``file``,
            ``recipients``, ``digest`` and ``opened_again``; each may be absent.
        policy: The policy that judged, so that waivers which have expired are shown too.

    Raises:
        ConfigurationError: If there is no catalogue of the language.
        CatalogueError: If the record holds something that the catalogue has no words for.
    """
    catalogue = read_catalogue(language)
    wording = Wording(catalogue)
    contents = Contents(audit, catalogue, policy)
    style = (_HERE / "style.css").read_text(encoding="utf-8")
    pictures = {
        (evidence.check, figure.name): _data_uri(draw_svg(evidence.check, figure, wording))
        for evidence in audit.evidence
        for figure in evidence.figures
    }
    return (
        _environment()
        .get_template("report.html")
        .render(
            audit=audit,
            run=run or {},
            contents=contents,
            pictures=pictures,
            style=style,
            policy_header=_content_policy(style),
            verdicts=VERDICTS,
            severities=("high", "medium", "low"),
            icons={"pass": "✓", "fail": "✗", "inconclusive": "?", "not_run": "–"},
            listed=_listed,
            moment=_moment,
            t=catalogue,
            w=wording,
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


def _data_uri(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _listed(value: Any) -> str:
    """A list or a mapping as one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {entry}" for name, entry in value.items())
    return value if isinstance(value, str) else ", ".join(map(str, value))


def _moment(stamp: str) -> str:
    """A moment in ISO 8601, as it is read."""
    return stamp.replace("T", " ").replace("+00:00", " UTC")
