"""A badge: counts of the verdicts as a small picture (SVG) for a page that tells of the classifier."""

from __future__ import annotations

from typing import ClassVar
from xml.sax.saxutils import escape, quoteattr

from audit.bundle import Audit
from audit.exports.export import FORMATS, Export, Source
from audit.exports.sentences import VERDICT_WORDS
from audit.exports.text import plain
from audit.policy import VERDICTS

_LABEL = "assay audit"
# Each is dark enough for white letters on it (contrast of at least 4.5 to 1).
_RED, _AMBER, _GREEN, _GREY, _DARK = "#b3261e", "#8a5a00", "#1e6b34", "#555d66", "#33383d"
_HEIGHT, _LETTER, _MARGIN = 20, 6.6, 8


@FORMATS.register
class Badge(Export):
    """It says how many rules have which verdict, and nothing of what that is worth."""

    file: ClassVar[str] = "badge.svg"

    def content(self, source: Source) -> bytes:
        text, colour = _message(source.audit)
        told = f"Audit of {plain(source.audit.identity.name)}: {text}"
        left, right = _width(_LABEL), _width(text)
        size = f'width="{left + right}" height="{_HEIGHT}"'
        return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(told)}>
<title>{escape(told)}</title>
<clipPath id="round"><rect {size} rx="3"/></clipPath>
<g clip-path="url(#round)">
<rect width="{left}" height="{_HEIGHT}" fill="{_DARK}"/>
<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{colour}"/>
</g>
<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11" aria-hidden="true">
{_words(_LABEL, 0)}
{_words(text, left)}
</g>
</svg>
""".encode()


def _message(audit: Audit) -> tuple[str, str]:
    if not all(answer.holds for answer in audit.known_answers):
        return "a known answer was missed", _RED
    if audit.interrupted:
        return "stopped before its end", _GREY
    if not audit.findings:
        return "nothing judged", _GREY
    counts = audit.count()
    waived = sum(finding.violated and finding.waived_by is not None for finding in audit.findings)
    parts = [f"{counts[verdict]} {VERDICT_WORDS[verdict]}" for verdict in VERDICTS if counts[verdict]]
    if waived:
        parts.append(f"{waived} accepted")
    return ", ".join(parts), {0: _GREEN, 1: _RED}.get(audit.exit_code, _AMBER)


def _width(text: str) -> int:
    return round(len(text) * _LETTER) + 2 * _MARGIN


def _words(text: str, start: int) -> str:
    # The length is given, so that no other font than the one that was thought of runs over the edge.
    length = f'textLength="{_width(text) - 2 * _MARGIN}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{start + _MARGIN}" y="14" {length}>{escape(text)}</text>'
