"""What becomes of a rule: its verdict, its limit, its waiver, and what was answered to its failure."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from audit.comparison.remediation import Response, read_responses, remedies
from audit.comparison.rule_changes import compare_rules
from audit.evidence import Evidence
from audit.policy import Finding, Policy
from classifier.errors import DataError
from classifier.metric import Metric

TODAY = datetime.date(2026, 6, 1)
WAIVER = {"rule": "R", "reason": "for now", "owner": "A. Person", "expires": "2026-12-31"}
EXPIRED = {**WAIVER, "expires": "2026-01-31"}


def _finding(value: float | None, *, limit: dict[str, Any] | None = None, waivers: tuple[dict[str, str], ...] = (), **rule: Any) -> Finding:
    """What a policy says of one number with an interval of 0.1 to both sides; of none where there is no value."""
    metrics = () if value is None else (Metric("performance.roc_auc", value, value - 0.1, value + 0.1, 50, interval="delong"),)
    rules = [{"id": "R", "metric": "performance.roc_auc", "set_by": "committee", "rationale": "a test", **(limit or {"min": 0.7}), **rule}]
    policy = Policy.model_validate({"policy": {"id": "p"}, "rule": rules, "waiver": waivers})
    (finding,) = policy.judge([Evidence("performance.accuracy", metrics)], today=TODAY)
    return finding


@pytest.mark.parametrize(
    ("old", "new", "turn"),
    [
        (_finding(0.85), _finding(0.85), "unchanged"),
        (_finding(0.85), _finding(0.5), "newly_violated"),
        (_finding(0.85), _finding(0.72), "undecided"),
        (_finding(0.85), _finding(None), "undecided"),
        (_finding(0.72), _finding(0.5), "newly_violated"),
        (_finding(0.72), _finding(0.72), "unchanged"),
        (_finding(0.72), _finding(0.72, on_inconclusive="fail"), "newly_violated"),
        (_finding(0.72), _finding(0.85), "better"),
        (_finding(None), _finding(0.85), "better"),
        (_finding(0.5), _finding(0.85), "remedied"),
        (_finding(0.5), _finding(0.72), "better"),
        (_finding(0.5), _finding(0.4), "unchanged"),
        (_finding(0.5, waivers=(WAIVER,)), _finding(0.5, waivers=(EXPIRED,)), "newly_violated"),
        (_finding(0.5), _finding(0.5, waivers=(WAIVER,)), "unchanged"),
        (_finding(0.85), _finding(0.5, waivers=(WAIVER,)), "newly_violated"),
        (None, _finding(0.85), "added"),
        (None, _finding(0.5), "new_violation"),
        (_finding(0.5), None, "removed"),
        (_finding(0.5), _finding(0.5, limit={"limit": "unset"}), "undecided"),
        (_finding(0.5), _finding(None), "undecided"),
        (_finding(0.72), _finding(None), "undecided"),
        (_finding(None), _finding(None), "unchanged"),
        (_finding(0.72, on_inconclusive="fail"), _finding(0.5, on_inconclusive="fail"), "newly_violated"),
        (_finding(0.5, on_inconclusive="fail"), _finding(0.72, on_inconclusive="fail"), "unchanged"),
        (_finding(0.72, on_inconclusive="fail"), _finding(0.72), "eased"),
        (_finding(0.5), _finding(0.5, limit={"min": 0.3}), "eased"),
        (_finding(0.5), _finding(0.5, limit={"min": 0.5}), "eased"),
        (_finding(0.85), _finding(0.65, limit={"min": 0.5}), "eased"),
        (_finding(0.85), _finding(0.85, limit={"min": 0.5}), "unchanged"),
        (_finding(0.85, limit={"limit": "unset"}), _finding(0.85), "better"),
    ],
)
def test_a_rule_turns_as_its_verdicts_say(old: Finding | None, new: Finding | None, turn: str) -> None:
    (rule,) = compare_rules([old] if old else [], [new] if new else [])
    assert rule.turn == turn


@pytest.mark.parametrize(
    ("before", "after", "movement"),
    [
        ({"min": 0.7}, {"min": 0.7}, "none"),
        ({"min": 0.7}, {"min": 0.6}, "loosened"),
        ({"min": 0.7}, {"min": 0.8}, "tightened"),
        ({"max": 0.7}, {"max": 0.6}, "tightened"),
        ({"max": 0.7}, {"max": 0.8}, "loosened"),
        ({"min": 0.7}, {"max": 0.7}, "replaced"),
        ({"min": 0.7}, {"limit": "unset"}, "replaced"),
    ],
)
def test_a_limit_that_was_moved_is_told_with_its_direction(before: dict[str, Any], after: dict[str, Any], movement: str) -> None:
    (rule,) = compare_rules([_finding(0.85, limit=before)], [_finding(0.85, limit=after)])
    assert rule.limit == movement


def _of_groups(rule: dict[str, Any], **values: float) -> Finding:
    """What a rule of groups says of two of them."""
    metrics = tuple(Metric("fairness.accuracy", v, v - 0.05, v + 0.05, 90, where={"group": group}) for group, v in values.items())
    rules = [{"id": "R", "metric": "fairness.accuracy", "set_by": "committee", "rationale": "a test", "min": 0.5, **rule}]
    (finding,) = Policy.model_validate({"policy": {"id": "p"}, "rule": rules}).judge([Evidence("fairness.groups", metrics)], today=TODAY)
    return finding


EVERY: dict[str, Any] = {"severity": "high", "on_inconclusive": "fail"}


@pytest.mark.parametrize(
    ("before", "after", "scope", "weight", "turn", "outcome"),
    [
        (EVERY, EVERY, "none", "none", "unchanged", "open"),
        (EVERY, {**EVERY, "where": {"group": "old"}, "severity": "low"}, "narrowed", "softened", "eased", "by_limit"),
        (EVERY, {**EVERY, "on_inconclusive": "warn"}, "none", "softened", "unchanged", "open"),
        ({**EVERY, "where": {"group": "young"}}, {**EVERY, "where": {"group": "old"}}, "elsewhere", "none", "eased", "by_limit"),
        ({**EVERY, "where": {"group": "young"}, "severity": "low"}, EVERY, "widened", "hardened", "unchanged", "open"),
    ],
)
def test_a_rule_that_is_narrowed_or_softened_is_told_and_is_no_remedy(
    before: dict[str, Any], after: dict[str, Any], scope: str, weight: str, turn: str, outcome: str
) -> None:
    old, new = (_of_groups(rule, young=0.4, old=0.9) for rule in (before, after))
    (rule,), (remedy,) = compare_rules([old], [new]), remedies([old], [new], {})
    assert (rule.scope, rule.weight, rule.turn, remedy.outcome) == (scope, weight, turn, outcome)


def test_a_waiver_ends_begins_and_is_renewed() -> None:
    plain, waived = _finding(0.5), _finding(0.5, waivers=(WAIVER,))
    later = _finding(0.5, waivers=({**WAIVER, "expires": "2027-12-31"},))
    told = [compare_rules([old], [new])[0].waiver for old, new in ((waived, plain), (plain, waived), (waived, later), (waived, waived))]
    assert told == ["ended", "began", "renewed", ""]


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        (_finding(0.5), _finding(0.85), "remedied"),
        (_finding(0.5), _finding(0.65, limit={"min": 0.5}), "by_limit"),
        (_finding(0.5), _finding(0.85, limit={"min": 0.5}), "remedied"),
        (_finding(0.5), _finding(0.85, limit={"max": 0.99}), "remedied"),
        (_finding(0.9, limit={"max": 0.6}), _finding(0.75, limit={"max": 0.9}), "by_limit"),
        (_finding(0.5), _finding(0.72), "undecided"),
        (_finding(0.5), _finding(None), "undecided"),
        (_finding(0.5), _finding(0.4), "open"),
        (_finding(0.5), _finding(0.4, waivers=(WAIVER,)), "accepted"),
        (_finding(0.5), None, "gone"),
        (_finding(0.72, on_inconclusive="fail"), _finding(0.72, on_inconclusive="fail"), "open"),
    ],
)
def test_what_had_failed_has_an_outcome_that_a_moved_limit_does_not_flatter(old: Finding, new: Finding | None, outcome: str) -> None:
    (remedy,) = remedies([old], [new] if new else [], {})
    assert (remedy.rule, remedy.outcome, remedy.response) == ("R", outcome, None)


def test_what_had_not_failed_is_no_remediation() -> None:
    assert remedies([_finding(0.85), _finding(0.72), _finding(None)], [], {}) == ()


def test_responses_are_read_from_the_run_of_the_old_audit() -> None:
    stated = {"responses": {"R": {"owner": "A. Person", "response": "trained anew", "due": "2026-05-01"}}}
    responses = read_responses(stated, ["R", "S"])
    assert responses == {"R": Response("A. Person", "trained anew", "2026-05-01", "")}
    assert remedies([_finding(0.5)], [_finding(0.85)], responses)[0].response == responses["R"]
    assert read_responses({}, ["R"]) == {}


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        ([], "responses of run.json must be by rule, got list"),
        ({"RIHGT": {}}, "a response to the rule 'RIHGT', which that audit has not; did you mean 'RIGHT'"),
        ({"RIGHT": "done"}, "must be made of owner, response, due, status, got 'done'"),
        ({"RIGHT": {"ownr": "A"}}, "unknown part 'ownr'; did you mean 'owner'"),
        ({"RIGHT": {"due": 3}}, "due of the response to 'RIGHT' must be a text, got 3"),
    ],
)
def test_a_response_that_cannot_be_read_is_refused(responses: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_responses({"responses": responses}, ["RIGHT"])
