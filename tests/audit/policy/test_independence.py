"""Independence: two declared names, and nothing less."""

from __future__ import annotations

import pytest

from audit.policy import Policy, judge_independence

RULE = {"id": "R", "metric": "m", "min": 0, "set_by": "s", "rationale": "r"}


def policy(required: bool = True) -> Policy:
    return Policy.model_validate({"policy": {"id": "p", "requires_independence": required}, "rule": [RULE]})


@pytest.mark.parametrize(
    ("developer", "validator", "verdict", "reason"),
    [
        ("Ann", "Bob", "pass", "independent"),
        ("Ann", "Ann", "fail", "not_independent"),
        ("Ann  Lee", " ann lee ", "fail", "not_independent"),
        ("Ann", "", "not_run", "undeclared"),
        ("", "Bob", "not_run", "undeclared"),
        ("", "", "not_run", "undeclared"),
    ],
)
def test_two_different_people_must_be_declared(developer: str, validator: str, verdict: str, reason: str) -> None:
    finding = judge_independence(policy(), {"developer": developer, "validator": validator})
    assert finding is not None
    assert (finding.verdict, finding.reason) == (verdict, reason)
    assert finding.violated == (verdict == "fail")
    assert (finding.rule, finding.set_by, finding.metric) == ("INDEPENDENCE", "p", None)


def test_a_policy_that_does_not_ask_for_it_has_no_such_finding() -> None:
    assert judge_independence(policy(required=False), {"developer": "Ann", "validator": "Ann"}) is None
