"""How an audit, its evidence and its findings show themselves in a notebook: small tables in the words of the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from audit.report.catalogue import read_catalogue
from audit.report.contents import Contents
from audit.report.wording import Wording

if TYPE_CHECKING:
    from audit.bundle import Audit
    from audit.evidence import Evidence
    from audit.policy import Finding

_SIGNS = {"pass": "✓", "fail": "✗", "inconclusive": "?", "not_run": "–"}


def audit_html(audit: Audit) -> str:
    """The findings, those that weigh most first, and what was not measured."""
    say = read_catalogue()
    contents = Contents(audit, say)
    head = f"<p><b>{escape(audit.identity.name)}</b>: {escape(' '.join(contents.headline()))}</p>"
    missing = "".join(f"<li><b>{escape(what)}</b>: {escape(why)}</li>" for what, why in contents.not_measured())
    aside = f"<details><summary>{escape(say('heading.not_measured'))}</summary><ul>{missing}</ul></details>" if missing else ""
    return head + _findings(contents.ranked()) + aside


def finding_html(finding: Finding) -> str:
    """One finding as a row."""
    return _findings((finding,))


def evidence_html(evidence: Evidence) -> str:
    """What a check asked, and its numbers."""
    say = read_catalogue()
    wording = Wording(say)
    head = f"<p><b>{escape(say(f'check.{evidence.check}.title'))}</b> {escape(say(f'check.{evidence.check}.question'))}</p>"
    if evidence.not_run is not None:
        return f"{head}<p>{_verdict('not_run', wording)}: {escape(evidence.not_run)}</p>"
    rows = [
        (wording.title(m.name), wording.where(m), wording.measured(m) if m.value is not None else m.reason or "") for m in evidence.metrics
    ]
    heads = [say(f"column.{name}") for name in ("metric", "where", "value")]
    return head + _table(heads, ([escape(text) for text in row] for row in rows))


def _findings(findings: Sequence[Finding]) -> str:
    say = read_catalogue()
    wording = Wording(say)
    heads = [say(f"finding.{name}") for name in ("verdict", "rule", "measured", "required")]
    rows = (
        [
            _verdict(f.verdict, wording),
            *(escape(text) for text in (f.rule, wording.measured(f.metric, beside=f.limit), wording.requirement(f))),
        ]
        for f in findings
    )
    return _table(heads, rows) if findings else ""


def _verdict(verdict: str, wording: Wording) -> str:
    return f"{_SIGNS[verdict]}&nbsp;{escape(wording.catalogue(f'verdict.{verdict}.word'))}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are markup already."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
