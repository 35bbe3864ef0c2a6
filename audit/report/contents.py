"""Contents: what stands in a report, and in which order. It chooses and sorts; it computes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.bundle import Audit
from audit.evidence import Evidence
from audit.policy import VERDICTS, Finding, Policy, Severity, Verdict
from audit.report.wording import Wording
from classifier.catalogue import Catalogue
from classifier.metric import Metric

SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")
# By these words of the record a check says that it asks nothing of such inputs.
_OTHER_INPUTS = "and the inputs are of the modality"


@dataclass(frozen=True)
class Contents:
    """What a report shows of an audit.

    Args:
        audit: The record.
        catalogue: The sentences.
        policy: The policy that judged, if it is at hand.
        run: What ``run.json`` holds.
    """

    audit: Audit
    catalogue: Catalogue
    policy: Policy | None = None
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wording(self) -> Wording:
        """What puts the record into the words of the catalogue."""
        return Wording(self.catalogue)

    def evidence(self, room: str) -> tuple[Evidence, ...]:
        """The evidence of one area."""
        return tuple(evidence for evidence in self.audit.evidence if evidence.check.startswith(f"{room}."))

    def headline(self) -> list[str]:
        """The verdict in a few sentences, the gravest first."""
        findings, say = self.audit.findings, self.catalogue
        violated = [finding for finding in findings if finding.violated]
        waived = sum(finding.waived_by is not None for finding in violated)
        undecided = sum(finding.verdict in ("inconclusive", "not_run") and not finding.violated for finding in findings)
        counts = {"rules": len(findings), "violated": len(violated), "waived": waived, "undecided": undecided}
        lines = []
        if not all(answer.holds for answer in self.audit.known_answers):
            lines.append("engine")
        if self.audit.interrupted:
            lines.append("interrupted")
        if all(evidence.not_run is not None for evidence in self.audit.evidence):
            lines.append("nothing")
        if not findings:
            lines.append("unjudged")
        elif violated:
            lines += ["violated", *(["waived"] if waived else []), *(["undecided_too"] if undecided else [])]
        else:
            lines.append("undecided" if undecided else "holds")
        return [say(f"headline.{line}", counts) for line in lines]

    def count(self, verdict: Verdict, severity: Severity) -> int:
        """How many findings have a verdict and a severity."""
        return sum(finding.verdict == verdict and finding.severity == severity for finding in self.audit.findings)

    def ranked(self) -> tuple[Finding, ...]:
        """All findings, those that weigh most first; of those that weigh the same, one of each metric, the furthest beyond its limit."""
        ordered = sorted(self.audit.findings, key=lambda finding: (_weight(finding), -_beyond(finding)))
        alike: Counter[tuple[object, str]] = Counter()
        places = []
        for finding in ordered:
            one = (_weight(finding), finding.asked)
            places.append((_weight(finding), alike[one]))
            alike[one] += 1
        return tuple(ordered[index] for index in sorted(range(len(ordered)), key=places.__getitem__))

    def worst(self) -> tuple[Finding, ...]:
        """The three that weigh most, among those that are a fail or inconclusive."""
        return tuple(finding for finding in self.ranked() if finding.verdict in ("fail", "inconclusive"))[:3]

    def judging(self, metric: Metric) -> Finding | None:
        """The finding that weighs most of those that a number decided."""
        return next((finding for finding in self.ranked() if finding.metric == metric), None)

    def waived(self) -> tuple[Finding, ...]:
        """The violations that somebody accepts."""
        return tuple(finding for finding in self.ranked() if finding.violated and finding.waived_by is not None)

    def expired(self, finding: Finding) -> dict[str, str] | None:
        """Who had accepted a finding until a day that has passed."""
        if self.policy is None or finding.waived_by is not None:
            return None
        for waiver in self.policy.waiver:
            if waiver.rule == finding.rule:
                return {"owner": waiver.owner, "expires": waiver.expires.isoformat()}
        return None

    def response(self, finding: Finding) -> Mapping[str, str]:
        """What its owner means to do about a finding: ``owner``, ``response``, ``due`` and ``status``, as far as they are stated."""
        stated: Mapping[str, str] = self.run.get("responses", {}).get(finding.rule, {})
        return stated

    def not_measured(self) -> list[tuple[str, str]]:
        """Rules, numbers and checks without a result, and why; the checks that are about other kinds of inputs in one line, the last."""
        say, wording = self.catalogue, self.wording
        lines = [(finding.rule, wording.why(finding)) for finding in self.ranked() if finding.verdict == "not_run"]
        for evidence in self.audit.evidence:
            if evidence.not_run is None:
                lines += [(_together(alike, wording), wording.told(reason)) for reason, alike in _by_reason(evidence).items()]
        lines += [(say(f"check.{e.check}.title"), wording.told(why)) for e, why in self._not_run() if _OTHER_INPUTS not in why]
        asked = {evidence.check for evidence in self.audit.evidence}
        lines += [(say(f"check.{check}.title"), say("scope.left_out")) for check in say.checks() if check not in asked]
        others = [say(f"check.{e.check}.title") for e, why in self._not_run() if _OTHER_INPUTS in why]
        return [*lines, (wording.listed(others), say("scope.other_inputs"))] if others else lines

    def _not_run(self) -> list[tuple[Evidence, str]]:
        return [(evidence, evidence.not_run) for evidence in self.audit.evidence if evidence.not_run is not None]


def _by_reason(evidence: Evidence) -> dict[str, list[Metric]]:
    """The numbers that a check could not give, by the reason."""
    alike: dict[str, list[Metric]] = {}
    for metric in evidence.metrics:
        if metric.value is None:
            alike.setdefault(metric.reason or "", []).append(metric)
    return alike


def _together(alike: list[Metric], wording: Wording) -> str:
    """Numbers that are missing for one reason, in one phrase: where one was to be measured, or how many of each name there are."""
    if len(alike) == 1:
        (metric,) = alike
        return wording.title(metric.name) + (f" ({wording.where(metric)})" if metric.where else "")
    counts = Counter(metric.name for metric in alike)
    return wording.listed(
        wording.title(name) if count == 1 else wording.catalogue("scope.alike", {"title": wording.title(name), "count": count})
        for name, count in counts.items()
    )


def _weight(finding: Finding) -> tuple[bool, int, int]:
    open_violation = finding.violated and finding.waived_by is None
    return not open_violation, VERDICTS.index(finding.verdict), SEVERITIES.index(finding.severity)


def _beyond(finding: Finding) -> float:
    """How far a value is on the wrong side of its limit, as a share of the larger of the two."""
    if finding.limit is None or finding.metric is None or finding.metric.value is None:
        return 0.0
    over = finding.metric.value - finding.limit
    return (over if finding.sense == "max" else -over) / (max(abs(finding.limit), abs(finding.metric.value)) or 1.0)
