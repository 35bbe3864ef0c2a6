"""Letters that nobody sees stand as their numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit import Audit
from audit.report import compose, draw_all, set_html
from audit.report.marking import marked
from tests.audit.report.conftest import part_of, words_of


@pytest.mark.parametrize("letter", ["\u202e", "\u2066", "\u0007", "\u200b", "\u00ad", "\ufeff", "\u2028", "\x7f"])
def test_a_hidden_letter_of_a_name_is_told_in_every_form(judged: Audit, letter: str) -> None:
    said, shown = f"invoice{letter}gpj.exe", f"invoice[U+{ord(letter):04X}]gpj.exe"
    findings = tuple(replace(finding, rationale=said) for finding in judged.findings)
    document = compose(replace(judged, findings=findings, identity=replace(judged.identity, name=said)))
    assert document.title == shown
    assert shown in words_of(part_of(document, "findings-details"))
    html = set_html(document, draw_all(document))
    assert shown in html
    assert letter not in html


def test_what_everybody_sees_stays_as_it_is() -> None:
    said = ("a\nb\tc", "ö · 中文 – 5\u00a0% ⁻⁹", (0.5, 1.0))
    assert marked(said) == said
