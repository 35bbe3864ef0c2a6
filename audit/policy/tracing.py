"""Tracing: from a hazard to the rule that holds it in check, to the evidence, to the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.policy.document import Policy
from audit.policy.finding import Finding, Verdict
from classifier.errors import ConfigurationError, did_you_mean
from classifier.metric import Metric


@dataclass(frozen=True)
class Traced:
    """One line of the trace.

    Args:
        hazard: Id of the hazard, if the rule names one.
        requirement: Id of the requirement, if the rule names one.
        rule: Id of the rule.
        asked: Name of the metric that the rule is about.
        check: The check that gave the evidence; ``None`` where there is none.
        metric: The measurement that decided, if there is one.
        verdict: The result.
    """

    hazard: str | None
    requirement: str | None
    rule: str
    asked: str
    check: str | None
    metric: Metric | None
    verdict: Verdict


def trace(policy: Policy, findings: Sequence[Finding]) -> tuple[Traced, ...]:
    """One line for each rule that names a hazard or a requirement, hazard by hazard in the order in which the policy names them.

    Args:
        policy: The policy that judged.
        findings: What it found.

    Raises:
        ConfigurationError: If a rule that must be traced has no finding, so that the findings are of another policy.
    """
    traced = [rule for rule in policy.rule if rule.hazard is not None or rule.requirement is not None]
    found = {finding.rule: finding for finding in findings}
    for rule in traced:
        if rule.id not in found:
            raise ConfigurationError(
                f"the policy {policy.policy.id!r} has a rule {rule.id!r}, and there is no finding of it; {did_you_mean(rule.id, found)}",
                remedy="give the policy that these findings were judged by",
            )
    hazards = list(dict.fromkeys(rule.hazard for rule in traced))
    lines = []
    # A rule without a hazard comes last, and sorting keeps the order within each.
    for rule in sorted(traced, key=lambda rule: (rule.hazard is None, hazards.index(rule.hazard))):
        finding = found[rule.id]
        lines.append(Traced(rule.hazard, rule.requirement, rule.id, finding.asked, finding.check, finding.metric, finding.verdict))
    return tuple(lines)
