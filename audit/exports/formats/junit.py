"""JUnit XML, which every build server shows: a test case for each rule, and one for each known answer."""

from __future__ import annotations

from typing import ClassVar
from xml.etree import ElementTree as ET

from audit.bundle import Audit
from audit.exports.export import FORMATS, Export, Source
from audit.exports.sentences import VERDICT_WORDS, measured, summary
from audit.exports.text import plain
from audit.policy import Finding
from classifier.known_answer import KnownAnswer


@FORMATS.register
class Junit(Export):
    """A violated rule is a failure; a rule that is undecided, not run or accepted is skipped, and says why; a missed answer is an error."""

    file: ClassVar[str] = "junit.xml"

    def content(self, source: Source) -> bytes:
        audit = source.audit
        name = plain(audit.identity.name)
        root = ET.Element("testsuites", name=f"Audit of {name}")
        rules = _suite(root, name, [_rule(finding, audit) for finding in audit.findings], source.time())
        rules.insert(0, _properties(audit))
        _suite(root, f"{name}: known answers", [_answer(answer) for answer in audit.known_answers], source.time())
        for outcome in ("tests", "failures", "errors"):
            root.set(outcome, str(sum(int(suite.attrib[outcome]) for suite in root)))
        ET.indent(root)
        return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _suite(root: ET.Element, name: str, cases: list[ET.Element], started: str | None) -> ET.Element:
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    time = {} if started is None else {"timestamp": started}
    suite = ET.SubElement(root, "testsuite", {"name": name, **{outcome: str(count) for outcome, count in counts.items()}, **time})
    suite.extend(cases)
    return suite


def _properties(audit: Audit) -> ET.Element:
    """What was audited and by which policy; and which checks measured nothing, which no test case would show."""
    facts = {
        "policy": audit.policy.get("id", "none"),
        "policy.sha256": audit.policy.get("sha256", "none"),
        "classifier.sha256": audit.identity.classifier or "predictions only",
        **{f"data.{part}.sha256": digest for part, digest in sorted(audit.identity.data.items())},
        "profile": audit.profile,
        "seed": audit.seed,
        "interrupted": str(audit.interrupted).lower(),
        **{f"software.{name}": version for name, version in sorted(audit.software.items())},
        **{f"not_run.{evidence.check}": evidence.not_run for evidence in audit.evidence if evidence.not_run is not None},
    }
    properties = ET.Element("properties")
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=plain(name), value=plain(value))
    return properties


def _rule(finding: Finding, audit: Audit) -> ET.Element:
    case = ET.Element("testcase", name=plain(finding.rule), classname=plain(f"{audit.policy.get('id', 'policy')}.{finding.asked}"))
    word = VERDICT_WORDS[finding.verdict]
    if finding.violated and finding.waived_by is None:
        failure = ET.SubElement(case, "failure", type=f"{finding.severity} severity", message=f"{word}: {measured(finding.metric)}")
        failure.text = _details(finding)
    elif finding.verdict != "pass":
        accepted = f", accepted by {plain(finding.waived_by)}" if finding.violated else ""
        ET.SubElement(case, "skipped", message=f"{word}{accepted}: {measured(finding.metric)}").text = _details(finding)
    else:
        ET.SubElement(case, "system-out").text = _details(finding)
    return case


def _details(finding: Finding) -> str:
    lines = [summary(finding), f"Severity: {finding.severity}", f"Reason for the limit: {plain(finding.rationale)}"]
    traced = {"Serves": ", ".join(finding.controls), "Hazard": finding.hazard, "Requirement": finding.requirement}
    return "\n".join([*lines, *(f"{name}: {plain(value)}" for name, value in traced.items() if value)])


def _answer(answer: KnownAnswer) -> ET.Element:
    case = ET.Element("testcase", name=plain(answer.id), classname="known_answers")
    if not answer.holds:
        found = f"expected {answer.expected:g} within {answer.tolerance:g}, measured {answer.measured:g}"
        ET.SubElement(case, "error", type="missed known answer", message=found).text = f"{plain(answer.statement)} {found}"
    return case
