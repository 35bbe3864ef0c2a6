"""Remediation: what failed before, what is said to have been done, and what it is now.

China's measures for audits of personal information protection (2025, article 11) ask for such a report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from audit.comparison.rule_changes import keeps_what_was_asked
from audit.policy import Finding
from classifier.errors import DataError, did_you_mean

#: What a failed rule is now: it holds; it holds, but only because less is asked, or something else; it could not be decided; it is
#: still violated; that is accepted by somebody; or no rule asks any more.
Outcome = Literal["remedied", "by_limit", "undecided", "open", "accepted", "gone"]
_PARTS = ("owner", "response", "due", "status")


@dataclass(frozen=True)
class Response:
    """What somebody answered to a failed rule; empty where nothing is stated.

    Args:
        owner: Who answers for it.
        response: What is to be done, or was.
        due: Until when.
        status: How far it is.
    """

    owner: str = ""
    response: str = ""
    due: str = ""
    status: str = ""


@dataclass(frozen=True)
class Remedy:
    """One rule that failed.

    Args:
        rule: Its id.
        old: Its finding then.
        new: Its finding now; ``None`` where the policy has it no more.
        response: What was answered to it, if anything was.
        outcome: What it is now.
    """

    rule: str
    old: Finding
    new: Finding | None
    response: Response | None
    outcome: Outcome


def read_responses(run: Mapping[str, Any], rules: Sequence[str]) -> dict[str, Response]:
    """The responses that ``run.json`` of a bundle holds, by rule.

    Args:
        run: What it holds.
        rules: The rules of that audit.

    Raises:
        DataError: If a response is about an unknown rule, or is not made of owner, response, due and status.
    """
    stated = run.get("responses", {})
    if not isinstance(stated, Mapping):
        raise DataError(f"responses of run.json must be by rule, got {type(stated).__name__}", remedy="give {rule: {owner, response, due}}")
    return {rule: _response(rule, entry, rules) for rule, entry in stated.items()}


def _response(rule: str, entry: Any, rules: Sequence[str]) -> Response:
    if rule not in rules:
        raise DataError(f"run.json holds a response to the rule {rule!r}, which that audit has not", remedy=did_you_mean(rule, rules))
    if not isinstance(entry, Mapping):
        raise DataError(f"the response to {rule!r} must be made of {', '.join(_PARTS)}, got {entry!r}")
    for part, text in entry.items():
        if part not in _PARTS:
            raise DataError(f"the response to {rule!r} has an unknown part {part!r}", remedy=did_you_mean(part, _PARTS))
        if not isinstance(text, str):
            raise DataError(f"{part} of the response to {rule!r} must be a text, got {text!r}")
    return Response(**entry)


def remedies(old: Sequence[Finding], new: Sequence[Finding], responses: Mapping[str, Response]) -> tuple[Remedy, ...]:
    """What became of every rule that failed or counted as violated, in the order of the old audit.

    Args:
        old: The findings of the old audit.
        new: The findings of the new one.
        responses: What was answered, by rule.
    """
    now = {finding.rule: finding for finding in new}
    return tuple(
        Remedy(finding.rule, finding, now.get(finding.rule), responses.get(finding.rule), _outcome(finding, now.get(finding.rule)))
        for finding in old
        if finding.verdict == "fail" or finding.violated
    )


def _outcome(old: Finding, new: Finding | None) -> Outcome:
    if new is None:
        return "gone"
    if new.verdict == "pass":
        return "remedied" if keeps_what_was_asked(old, new) else "by_limit"
    if new.verdict == "fail" or new.violated:
        return "open" if new.waived_by is None else "accepted"
    return "undecided"
