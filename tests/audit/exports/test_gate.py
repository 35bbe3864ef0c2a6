"""The gate: which exit code a pipeline gets where it stops for grave violations only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.bundle import Audit
from audit.exports import exit_code_of
from audit.exports.gate import SEVERITIES
from audit.policy import Finding
from classifier.errors import ConfigurationError
from classifier.known_answer import KnownAnswer

MISSED = KnownAnswer("robustness.linear_exact", "It gives the truth.", 1.0, 0.0, 0.0)


def of(audit: Audit, findings: Iterable[Finding]) -> Audit:
    return replace(audit, findings=tuple(findings))


@pytest.mark.parametrize(
    ("severity", "codes"),
    [("low", [1, 0, 0]), ("medium", [1, 1, 0]), ("high", [1, 1, 1])],
)
def test_a_fail_below_the_severity_asked_for_does_not_stop_the_pipeline(hostile: Audit, severity: str, codes: list[int]) -> None:
    failed = replace(hostile.findings[1], severity=severity)
    assert [exit_code_of(of(hostile, [hostile.findings[0], failed]), fail_on=least) for least in SEVERITIES] == codes


def test_what_is_undecided_is_still_3_where_what_is_violated_does_not_count(hostile: Audit) -> None:
    failed, undecided = replace(hostile.findings[1], severity="low"), hostile.findings[4]
    assert exit_code_of(of(hostile, [failed, undecided]), fail_on="high") == 3
    assert exit_code_of(of(hostile, [failed, undecided]), fail_on="low") == 1


def test_an_undecided_rule_that_asks_for_certainty_is_3_where_its_severity_does_not_count(hostile: Audit) -> None:
    certainty = hostile.findings[5]
    assert [exit_code_of(of(hostile, [certainty]), fail_on=least) for least in SEVERITIES] == [1, 3, 3]


def test_an_accepted_fail_counts_at_no_severity(hostile: Audit) -> None:
    assert [exit_code_of(of(hostile, hostile.findings[2:3]), fail_on=least) for least in SEVERITIES] == [0, 0, 0]


def test_a_missed_known_answer_is_5_before_everything(hostile: Audit) -> None:
    assert {exit_code_of(replace(hostile, known_answers=(MISSED,)), fail_on=least) for least in SEVERITIES} == {5}


def test_an_audit_that_was_stopped_is_never_0(hostile: Audit) -> None:
    assert exit_code_of(replace(of(hostile, hostile.findings[:1]), interrupted=True), fail_on="high") == 3


@settings(max_examples=60, deadline=None)
@given(chosen=st.lists(st.tuples(st.integers(0, 6), st.sampled_from(SEVERITIES)), max_size=5), missed=st.booleans(), stopped=st.booleans())
def test_low_is_the_exit_code_of_the_audit_and_a_higher_severity_only_takes_violations_away(
    hostile: Audit, chosen: list[tuple[int, str]], missed: bool, stopped: bool
) -> None:
    findings = [replace(hostile.findings[position], severity=severity) for position, severity in chosen]
    answers = (MISSED,) if missed else hostile.known_answers
    audit = replace(of(hostile, findings), known_answers=answers, interrupted=stopped)
    codes = [exit_code_of(audit, fail_on=least) for least in SEVERITIES]
    assert codes[0] == audit.exit_code
    assert all(code == codes[0] for code in codes) or codes[0] == 1
    # Once spared, spared at every higher severity too.
    assert codes == sorted(codes, key=lambda code: code != 1)


def test_an_unknown_severity_is_refused_with_the_nearest(hostile: Audit) -> None:
    with pytest.raises(ConfigurationError, match="there is no severity 'hihg' to fail on; did you mean 'high'") as caught:
        exit_code_of(hostile, fail_on="hihg")
    assert caught.value.exit_code == 2
