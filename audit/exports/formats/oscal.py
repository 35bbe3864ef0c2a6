"""OSCAL assessment results (NIST): a finding for each rule of the policy, with the observation that it rests on.

A rule is an objective of the assessment. That one is satisfied says that a limit was met, and nothing of a clause of a law:
clauses are named as what the rules serve.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any, ClassVar

from audit.bundle import Audit
from audit.exports.export import FORMATS, Export, Source
from audit.exports.sentences import measured, required, subject_of, summary
from audit.exports.text import markdown, plain, tokens
from audit.policy import Finding, Verdict
from classifier.errors import ConfigurationError
from classifier.records import as_record, canonical_json, digest, sha256

OSCAL_VERSION = "1.2.3"
# Names what is made of the same record by the same identifiers; and the meaning of our properties.
_NAMESPACE = uuid.UUID("0e7ed35c-63d5-5d0a-9b0e-4d7f5f0f6a51")
_PROPERTIES = "urn:assay:oscal"
_MEANING = (
    "Each objective is a rule of the policy. A satisfied one says that the measured interval keeps to the rule's limit. "
    "It does not say that a clause of a law or of a standard is fulfilled; the clauses named are those that the rules serve."
)
# The standard knows two states and three reasons.
_STATES: dict[Verdict, tuple[str, str]] = {
    "pass": ("satisfied", "pass"),
    "fail": ("not-satisfied", "fail"),
    "inconclusive": ("not-satisfied", "other"),
    "not_run": ("not-satisfied", "other"),
}


@FORMATS.register
class Oscal(Export):
    """Inconclusive rules, and rules that were not run, are not satisfied, with the reason ``other`` and the verdict in words."""

    file: ClassVar[str] = "oscal-assessment-results.json"
    needs_findings: ClassVar[bool] = True

    def content(self, source: Source) -> bytes:
        time, text = source.time(), source.policy_text
        if not source.audit.findings or text is None:
            raise ConfigurationError("oscal holds findings, and without a policy nothing was judged", remedy="name a policy in audit.toml")
        if time is None:
            raise ConfigurationError("oscal asks when the audit began, which a record does not hold", remedy="give it from run.json")
        return canonical_json({"assessment-results": _Results(source.audit, text, time).document()}) + b"\n"


class _Results:
    """One record's results, and the identifiers that its parts have among each other."""

    def __init__(self, audit: Audit, policy_text: str, time: str) -> None:
        self.audit, self.policy_text, self.time = audit, policy_text, time
        # As it is saved: a record in memory may hold arrays too.
        shown = replace(audit, evidence=tuple(replace(evidence, arrays={}) for evidence in audit.evidence))
        self.record = digest([as_record(shown), policy_text, time])
        self.rules = tokens(finding.rule for finding in audit.findings)
        self.controls = tokens(control for finding in audit.findings for control in finding.controls)

    def document(self) -> dict[str, Any]:
        return {
            "uuid": self.identifier("document"),
            "metadata": {
                "title": f"Assessment results of {markdown(self.audit.identity.name)}",
                "last-modified": self.time,
                "version": str(self.audit.version),
                "oscal-version": OSCAL_VERSION,
                "remarks": _MEANING,
            },
            # What was to be assessed, and by which limits, stands in the policy.
            "import-ap": {"href": f"#{self.identifier('policy')}"},
            "results": [self.result()],
            "back-matter": {"resources": [self.policy()]},
        }

    def result(self) -> dict[str, Any]:
        identity = self.audit.identity
        return {
            "uuid": self.identifier("result"),
            "title": f"Audit of {markdown(identity.name)}",
            "description": _MEANING,
            "start": self.time,
            "props": [
                _property("profile", self.audit.profile),
                _property("seed", self.audit.seed),
                _property("independence", identity.independence),
                _property("interrupted", str(self.audit.interrupted).lower()),
                _property("known-answers-held", sum(answer.holds for answer in self.audit.known_answers)),
                _property("known-answers", len(self.audit.known_answers)),
            ],
            "local-definitions": {"components": [self.component()]},
            "reviewed-controls": self.reviewed(),
            "observations": [self.observation(finding) for finding in self.audit.findings],
            "findings": [self.finding(finding) for finding in self.audit.findings],
        }

    def component(self) -> dict[str, Any]:
        identity = self.audit.identity
        data = [_property(f"{part}-sha256", digest) for part, digest in sorted(identity.data.items())]
        return {
            "uuid": self.identifier("classifier"),
            "type": "software",
            "title": markdown(identity.name),
            "description": f"The classifier ({markdown(identity.architecture)}) that was audited.",
            "props": [_property("sha256", identity.classifier or "predictions only"), *data],
            "status": {"state": "other", "remarks": "An audit does not say whether it is in use."},
        }

    def reviewed(self) -> dict[str, Any]:
        controls = list(self.controls.values())
        note = "The clauses that the rules serve." if controls else "The rules serve no clause; the policy stands for itself."
        named = controls or list(tokens([self.audit.policy["id"]]).values())
        return {
            "control-selections": [{"description": note, "include-controls": [{"control-id": control} for control in named]}],
            "control-objective-selections": [{"include-objectives": [{"objective-id": rule} for rule in self.rules.values()]}],
        }

    def observation(self, finding: Finding) -> dict[str, Any]:
        evidence = [{"href": f"../evidence/{finding.check}.json", "description": f"Evidence of the check {markdown(finding.check)}."}]
        return {
            "uuid": self.identifier("observation", finding.rule),
            "title": markdown(subject_of(finding)),
            "description": markdown(f"{subject_of(finding)}: {measured(finding.metric)}"),
            "props": _numbers(finding),
            "methods": ["TEST"],
            "types": ["control-objective"],
            "subjects": [{"subject-uuid": self.identifier("classifier"), "type": "component"}],
            **({"relevant-evidence": evidence} if finding.check is not None else {}),
            "collected": self.time,
        }

    def finding(self, finding: Finding) -> dict[str, Any]:
        state, reason = _STATES[finding.verdict]
        facts: dict[str, object] = {
            "verdict": finding.verdict,
            "severity": finding.severity,
            "set-by": finding.set_by,
            "violated": finding.violated,
        }
        facts |= {name: value for name, value in (("hazard", finding.hazard), ("requirement", finding.requirement)) if value}
        controls = [{**_property("control", control), "remarks": f"Token: {self.controls[control]}"} for control in finding.controls]
        return {
            "uuid": self.identifier("finding", finding.rule),
            "title": markdown(f"{finding.rule}: {subject_of(finding)}"),
            "description": markdown(summary(finding)),
            "props": [_property("rule", finding.rule), *(_property(name, value) for name, value in facts.items()), *controls],
            "target": {
                "type": "objective-id",
                "target-id": self.rules[finding.rule],
                "description": markdown(f"{required(finding)}. {finding.rationale}"),
                "status": {"state": state, "reason": reason, "remarks": markdown(summary(finding))},
            },
            "related-observations": [{"observation-uuid": self.identifier("observation", finding.rule)}],
        }

    def policy(self) -> dict[str, Any]:
        hashes = [{"algorithm": "SHA-256", "value": sha256(self.policy_text.encode())}]
        return {
            "uuid": self.identifier("policy"),
            "title": f"Policy {markdown(self.audit.policy['id'])}",
            "description": "The limits that were to be met, set before the audit was run.",
            "rlinks": [{"href": "../policy.toml", "media-type": "application/toml", "hashes": hashes}],
        }

    def identifier(self, *part: str) -> str:
        """The same for the same part of the same record."""
        return str(uuid.uuid5(_NAMESPACE, canonical_json([self.record, part]).decode()))


def _property(name: str, value: object) -> dict[str, str]:
    told = str(value).lower() if isinstance(value, bool) else plain(value)
    return {"name": name, "ns": _PROPERTIES, "value": told or "none"}


def _numbers(finding: Finding) -> list[dict[str, str]]:
    facts: dict[str, object] = {"metric": finding.asked}
    if finding.metric is not None and finding.metric.value is not None:
        metric = finding.metric
        facts |= {"value": metric.value, "low": metric.low, "high": metric.high, "confidence": metric.confidence}
        facts |= {"n": metric.n, "bound": metric.bound, **{f"where-{key}": place for key, place in metric.where.items()}}
    names = tokens(facts)
    return [_property(names[name], value) for name, value in facts.items()]
