"""SARIF 2.1.0 (OASIS), which code hosts and editors read: each finding stands at its rule's line in the policy."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote

from audit.bundle import Audit
from audit.exports.export import FORMATS, Export, Source
from audit.exports.policy_lines import PolicyLines
from audit.exports.sentences import required, subject_of, summary
from audit.exports.text import plain
from audit.policy import Finding, Severity, Verdict
from classifier.errors import ConfigurationError
from classifier.records import canonical_json, digest, sha256

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: dict[Severity, str] = {"high": "error", "medium": "warning", "low": "note"}
_PROBLEMS: dict[Severity, str] = {"high": "error", "medium": "warning", "low": "recommendation"}
_KINDS: dict[Verdict, str] = {"pass": "pass", "fail": "fail", "inconclusive": "review", "not_run": "open"}


@FORMATS.register
class Sarif(Export):
    """All verdicts are in it, by their `kind`; a level other than ``none`` has what is violated only."""

    file: ClassVar[str] = "results.sarif"

    def content(self, source: Source) -> bytes:
        audit = source.audit
        run: dict[str, Any] = {
            "tool": {"driver": _driver(audit)},
            "automationDetails": {"id": f"assay/{plain(audit.identity.name)}/"},
            "columnKind": "utf16CodeUnits",
            "invocations": [_invocation(source)],
            "results": [],
            "properties": {"profile": audit.profile, "seed": audit.seed, "policy": dict(audit.policy)},
        }
        if audit.findings:
            text, uri = _required_policy(source), quote(source.policy_path)
            lines = PolicyLines(text, source.policy_path)
            run["artifacts"] = [{"location": {"uri": uri}, "roles": ["policy"], "hashes": {"sha-256": sha256(text.encode())}}]
            run["results"] = [
                _result(finding, position, uri, lines.of(finding.rule), audit) for position, finding in enumerate(audit.findings)
            ]
        return canonical_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + b"\n"


def _required_policy(source: Source) -> str:
    if source.policy_text is None:
        raise ConfigurationError(
            f"sarif places findings at the lines of the policy {source.audit.policy.get('id', '')!r}, whose text is missing",
            remedy="give the policy.toml that the audit was judged by",
        )
    return source.policy_text


def _driver(audit: Audit) -> dict[str, Any]:
    version = audit.software.get("assay")
    return {
        "name": "Assay",
        **({} if version is None else {"version": version}),
        "rules": [_rule(finding) for finding in audit.findings],
    }


def _rule(finding: Finding) -> dict[str, Any]:
    requirement = f"{subject_of(finding)}: {required(finding)}."
    return {
        "id": plain(finding.rule),
        "shortDescription": {"text": requirement},
        "fullDescription": {"text": plain(finding.rationale) or requirement},
        "help": {"text": f"{requirement} Reason for the limit: {plain(finding.rationale)}"},
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
        "properties": {
            # The schema asks for tags that differ.
            "tags": list(dict.fromkeys((finding.asked.partition(".")[0], *finding.controls))),
            "problem.severity": _PROBLEMS[finding.severity],
        },
    }


def _result(finding: Finding, position: int, uri: str, line: int, audit: Audit) -> dict[str, Any]:
    kind = "fail" if finding.violated else _KINDS[finding.verdict]
    result: dict[str, Any] = {
        "ruleId": plain(finding.rule),
        "ruleIndex": position,
        "kind": kind,
        # The standard asks for none wherever the kind is not fail.
        "level": _LEVELS[finding.severity] if kind == "fail" else "none",
        "message": {"text": summary(finding)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": uri, "index": 0}, "region": {"startLine": line}},
                "logicalLocations": [{"fullyQualifiedName": finding.asked, "kind": "metric"}],
            }
        ],
        # Neither the line nor the number is in it: the same rule of the same audit is the same result next time.
        "partialFingerprints": {"assayRule/v1": digest([audit.identity.name, finding.rule])},
        "properties": _numbers(finding),
    }
    if finding.violated and finding.waived_by is not None:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": plain(finding.waived_by)}]
    return result


def _numbers(finding: Finding) -> dict[str, Any]:
    stated: dict[str, Any] = {
        "verdict": finding.verdict,
        "severity": finding.severity,
        "metric": finding.asked,
        "sense": finding.sense,
        "limit": finding.limit,
        "set_by": finding.set_by,
        "hazard": finding.hazard,
        "requirement": finding.requirement,
    }
    if finding.metric is not None:
        metric = finding.metric
        stated |= {"value": metric.value, "low": metric.low, "high": metric.high, "n": metric.n}
        stated |= {"bound": metric.bound, "where": dict(metric.where), "confidence": metric.confidence}
    return stated


def _invocation(source: Source) -> dict[str, Any]:
    audit = source.audit
    missed = [answer for answer in audit.known_answers if not answer.holds]
    notes = [("error", f"Missed known answer {answer.id}: {answer.statement}") for answer in missed]
    if audit.interrupted:
        notes.append(("warning", "The audit was stopped before its end."))
    notes += [("note", f"{evidence.check} measured nothing: {evidence.not_run}") for evidence in audit.evidence if evidence.not_run]
    invocation: dict[str, Any] = {
        "executionSuccessful": not missed and not audit.interrupted,
        "toolExecutionNotifications": [{"level": level, "message": {"text": plain(text)}} for level, text in notes],
    }
    time = source.time()
    return invocation if time is None else {**invocation, "startTimeUtc": time}
