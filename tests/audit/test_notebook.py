"""In a notebook an audit, its evidence and its findings are tables, in the report's words, whatever the names are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from audit import Audit
from audit.evidence import Evidence

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"


@pytest.fixture(scope="module")
def audit() -> Audit:
    return Audit.load(GOLDEN)


def test_an_audit_shows_every_finding_with_its_verdict_in_words_and_its_n(audit: Audit) -> None:
    shown = audit._repr_html_().replace("\u00a0", " ")
    assert shown.count("<tr>") == 1 + len(audit.findings)
    for finding in audit.findings:
        assert f"<td>{finding.rule}</td>" in shown
    assert all(f"n = {finding.metric.n}" in shown for finding in audit.findings if finding.metric is not None)
    assert {"✓&nbsp;Pass", "?&nbsp;Inconclusive", "✗&nbsp;Fail"} <= set(re.findall(r"[✓?✗]&nbsp;\w+", shown))


def test_a_finding_is_one_row_and_evidence_one_for_each_number(audit: Audit) -> None:
    assert audit.findings[0]._repr_html_().count("<tr>") == 2
    measured = next(evidence for evidence in audit.evidence if evidence.metrics)
    assert measured._repr_html_().count("<tr>") == 1 + len(measured.metrics)


def test_names_and_reasons_are_text_and_never_markup(audit: Audit) -> None:
    shown = replace(audit, identity=replace(audit.identity, name="<script>alert(1)</script>"))._repr_html_()
    assert "<script>" not in shown
    refused = Evidence("performance.accuracy", not_run="<b>no</b> rows")._repr_html_()
    assert "&lt;b&gt;no&lt;/b&gt; rows" in refused
