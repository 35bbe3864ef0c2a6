"""The trace: from hazard and requirement to the rule, its evidence and its result."""

from __future__ import annotations

import datetime

import pytest

from audit import Evidence, Policy
from audit.policy import trace
from classifier.errors import ConfigurationError
from classifier.metric import Metric


def rule(name: str, hazard: str | None = None, requirement: str | None = None) -> dict[str, object]:
    return {"id": name, "metric": "m", "min": 0.5, "set_by": "s", "rationale": "r", "hazard": hazard, "requirement": requirement}


POLICY = Policy.model_validate(
    {"policy": {"id": "p"}, "rule": [rule("A", "H2", "R1"), rule("B"), rule("C", "H1"), rule("D", "H2"), rule("E", None, "R2")]}
)
MEASURED = Metric("m", 0.8, 0.7, 0.9, 100)
FINDINGS = POLICY.judge([Evidence("room.check", metrics=(MEASURED,))], today=datetime.date(2026, 1, 1))


def test_a_finding_carries_the_hazard_and_the_requirement_of_its_rule() -> None:
    assert [(f.hazard, f.requirement) for f in FINDINGS] == [("H2", "R1"), (None, None), ("H1", None), ("H2", None), (None, "R2")]


def test_the_trace_goes_hazard_by_hazard_and_leaves_out_what_names_none() -> None:
    lines = trace(POLICY, FINDINGS)
    assert [(line.hazard, line.requirement, line.rule) for line in lines] == [
        ("H2", "R1", "A"),
        ("H2", None, "D"),
        ("H1", None, "C"),
        (None, "R2", "E"),
    ]
    assert all((line.check, line.metric, line.verdict) == ("room.check", MEASURED, "pass") for line in lines)


def test_findings_of_another_policy_are_not_traced() -> None:
    with pytest.raises(ConfigurationError, match="has a rule 'C', and there is no finding of it"):
        trace(POLICY, [finding for finding in FINDINGS if finding.rule != "C"])
