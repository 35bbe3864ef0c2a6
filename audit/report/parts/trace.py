"""Appendix: from each hazard or requirement to the rule that holds it in check, to the evidence, to the result."""

from __future__ import annotations

from audit.policy import Finding
from audit.report.contents import Contents
from audit.report.document import Cell, Grid, Head, Paragraph, Part
from audit.report.parts.verdict import measured_finding


def is_traced(finding: Finding) -> bool:
    """Whether a finding's rule names a hazard or a requirement."""
    return finding.hazard is not None or finding.requirement is not None


def trace_part(contents: Contents) -> Part:
    """One line for each rule that names a hazard or a requirement, hazard by hazard as the policy names them.

    Args:
        contents: What is shown.
    """
    say, wording = contents.catalogue, contents.wording
    traced = [finding for finding in contents.audit.findings if is_traced(finding)]
    hazards = list(dict.fromkeys(finding.hazard for finding in traced))
    places = {finding.rule: place for place, finding in enumerate(contents.ranked(), start=1)}
    rows = tuple(
        (
            Cell(finding.hazard or say("number.dash")),
            Cell(finding.requirement or say("number.dash")),
            Cell(finding.rule, link=f"rule-{places[finding.rule]}"),
            Cell(measured_finding(contents, finding), small=wording.measured(finding.metric, beside=finding.limit)),
            Cell("", verdict=finding.verdict),
        )
        for finding in sorted(traced, key=lambda finding: (finding.hazard is None, hazards.index(finding.hazard)))
    )
    heads = tuple(Head(say(f"trace.{head}")) for head in ("hazard", "requirement", "rule", "evidence", "result"))
    shown = Grid(say("heading.trace"), heads, rows)
    return Part("trace", say("heading.trace"), "appendix", (Paragraph(say("trace.lead")), shown))
