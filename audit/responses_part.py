"""``[responses]``: what is done about findings, by whom and until when; said once, and carried over from bundle to bundle."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from audit.toml_files import Form
from classifier.errors import ConfigurationError, did_you_mean

RUN = "run.json"


class ResponsePart(Form):
    """What is done about the finding of one rule; what is left out is told as not stated.

    Args:
        owner: Who answers for it.
        response: What is done.
        due: Until when.
        status: How far it is, in a word or two.
    """

    owner: str | None = None
    response: str | None = None
    due: datetime.date | None = None
    status: str | None = None


Responses = dict[str, dict[str, str]]


def gather_responses(stated: Mapping[str, ResponsePart], rules: Sequence[str], earlier: Path) -> Responses:
    """The responses that a report shows, by rule: those that are stated, and for other rules those of the bundle before.

    Args:
        stated: What ``audit.toml`` says, by rule.
        rules: Ids of the policy's rules.
        earlier: Folder of the bundle before, if there is one.

    Raises:
        ConfigurationError: If what is stated is about a rule that the policy does not have.
    """
    for rule in stated:
        if rule not in rules:
            raise ConfigurationError(
                f"[responses] answers to the rule {rule!r}, which the policy has not", remedy=did_you_mean(rule, rules)
            )
    try:
        told = json.loads((earlier / RUN).read_bytes()).get("responses", {})
    except (OSError, ValueError, AttributeError):
        # What is no bundle has nothing to carry over.
        told = {}
    own = {rule: {name: str(value) for name, value in part.model_dump(exclude_none=True).items()} for rule, part in stated.items()}
    return {rule: answer for rule, answer in {**told, **own}.items() if rule in rules}
