"""Part nine: the register of findings, and in the appendix every finding in full."""

from __future__ import annotations

from audit.policy import VERDICTS, Finding
from audit.report.contents import Contents
from audit.report.document import Block, Cell, Facts, Grid, Group, Head, Paragraph, Part, Points
from audit.report.parts.next_steps import next_step, responses, responses_in_short
from audit.report.parts.shortening import brief, shortened
from audit.report.parts.verdict import measured_finding, named_finding, required

# Lines of a page, and what a finding takes of them when it is told whole or in short.
_PAGE, _WHOLE, _SHORT = 55, 7, 3
# Letters of a reason and of a response: as many as these lines hold.
_MOST_SAID, _MOST_ANSWERED = 60, 90


def register_part(contents: Contents) -> Part:
    """As many findings as a page holds, the gravest first: those that fail or are undecided whole, the others in short.

    Args:
        contents: What is shown.
    """
    say, audit = contents.catalogue, contents.audit
    if not audit.findings:
        return Part("findings", say("heading.findings"), "body", (Paragraph(say("finding.none")),))
    numbered = list(enumerate(contents.ranked(), start=1))
    open_ones = [one for one in numbered if one[1].verdict in ("fail", "inconclusive")]
    others = [one for one in numbered if one[1].verdict not in ("fail", "inconclusive")]
    whole = open_ones[: max(1, (_PAGE - _SHORT * min(len(others), 4)) // _WHOLE)]
    short = [*open_ones[len(whole) :], *others][: max(0, (_PAGE - _WHOLE * len(whole)) // _SHORT)]
    blocks: list[Block] = [Paragraph(say("finding.lead", {"policy": brief(audit.policy["id"])}))]
    if whole:
        blocks.append(_whole(contents, whole))
    if short:
        blocks.append(_short(contents, short))
    left = len(numbered) - len(whole) - len(short)
    told = say("finding.more", {"more": left}) if left else say("finding.all_details", {"rules": len(numbered)})
    return Part("findings", say("heading.findings"), "body", (*blocks, Points((Cell(told, link="findings-details"),))))


def register_details(contents: Contents) -> Part:
    """Every finding in full.

    Args:
        contents: What is shown.
    """
    say = contents.catalogue
    meanings = Facts(tuple((say(f"verdict.{verdict}.word"), Cell(say(f"verdict.{verdict}.meaning"))) for verdict in VERDICTS))
    cards = (_card(contents, place, finding) for place, finding in enumerate(contents.ranked(), start=1))
    return Part("findings-details", say("heading.findings_details"), "appendix", (meanings, *cards))


def _whole(contents: Contents, numbered: list[tuple[int, Finding]]) -> Grid:
    say, wording = contents.catalogue, contents.wording
    rows = []
    for place, finding in numbered:
        severity = say("finding.of_severity", {"severity": say(f"severity.{finding.severity}")})
        waived = say("finding.waived") if finding.violated and finding.waived_by else ""
        rows.append(
            (
                named_finding(contents, finding, place),
                Cell("", small=wording.points(severity, waived), verdict=finding.verdict),
                Cell(wording.measured(finding.metric, beside=finding.limit), small=required(contents, finding)),
                Cell(shortened(contents, finding.rationale, most=_MOST_SAID), small=next_step(contents, finding)),
                Cell(shortened(contents, responses_in_short(contents, finding), most=_MOST_ANSWERED)),
            )
        )
    heads = tuple(Head(say(f"finding.{head}")) for head in ("rule", "verdict", "measured_required", "why_next", "answered"))
    return Grid(say("finding.open"), heads, tuple(rows))


def _short(contents: Contents, numbered: list[tuple[int, Finding]]) -> Grid:
    say, wording = contents.catalogue, contents.wording
    rows = tuple(
        (
            named_finding(contents, finding, place),
            Cell("", verdict=finding.verdict),
            Cell(wording.measured(finding.metric, beside=finding.limit)),
            Cell(required(contents, finding)),
        )
        for place, finding in numbered
    )
    heads = tuple(Head(say(f"finding.{head}")) for head in ("rule", "verdict", "measured", "required"))
    return Grid(say("finding.others"), heads, rows)


def _card(contents: Contents, place: int, finding: Finding) -> Group:
    say, wording, metric = contents.catalogue, contents.wording, finding.metric
    measured = wording.measured(metric, beside=finding.limit)
    if metric is not None and metric.unreliable and finding.reason != "unreliable":
        measured = wording.points(measured, say("number.unreliable", {"why": wording.told(metric.unreliable)}))
    facts = [
        (say("finding.asked"), Cell(measured_finding(contents, finding))),
        (say("finding.measured"), Cell(measured)),
        (say("finding.required"), Cell(wording.requirement(finding))),
        (say("finding.why"), Cell(wording.why(finding))),
        (say("finding.rationale"), Cell(finding.rationale)),
        (say("finding.severity"), Cell(say(f"severity.{finding.severity}"))),
    ]
    if finding.verdict != "pass":
        facts.append((say("finding.next"), Cell(next_step(contents, finding))))
    if finding.verdict != "pass" or contents.response(finding):
        facts += responses(contents, finding)
    if finding.controls:
        facts.append((say("finding.controls"), Cell(wording.listed(finding.controls))))
    if finding.waived_by:
        facts.append((say("finding.waiver"), Cell(finding.waived_by)))
    expired = contents.expired(finding)
    if expired:
        facts.append((say("finding.waiver"), Cell(say("finding.waiver_expired", expired))))
    return Group(f"rule-{place}", finding.rule, (Facts(tuple(facts)),), verdict=finding.verdict)
