"""``[responses]``: what is done about findings, by whom and until when; said once, and carried over from bundle to bundle."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.manifests import verify_bundle
from audit.strict_json import parse_strictly
from audit.toml_files import Form
from classifier.errors import ConfigurationError, IntegrityError, did_you_mean

RUN, RECORD = "run.json", "audit.json"
_LOG = logging.getLogger("assay")


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


@dataclass(frozen=True)
class Earlier:
    """What the bundle before hands on to the next one.

    Args:
        responses: The responses that it showed, by rule.
        revision: Which edition it was; 0 where there is none.
        record: SHA-256 of its ``audit.json``.
    """

    responses: Responses
    revision: int = 0
    record: str = ""


def read_earlier(folder: Path) -> Earlier:
    """What the bundle in a folder hands on; nothing, where there is none, or not one that its manifests vouch for.

    Args:
        folder: Where the next bundle will stand.
    """
    if not (folder / "manifest.json").exists():
        return Earlier({})
    try:
        bundle = verify_bundle(folder)
        run = parse_strictly(bundle.read(RUN), RUN)
        told = {rule: _stated(ResponsePart.model_validate(answer)) for rule, answer in run.get("responses", {}).items()}
        return Earlier(told, int(run.get("revision", 1)), bundle.files.get(RECORD, ""))
    except (IntegrityError, ValueError, TypeError, AttributeError) as error:
        # Somebody may have written into it what nobody decided.
        why = str(error).splitlines()[0]
        _LOG.warning("%s: responses are not carried over from this bundle, which is not as an audit left it: %s", folder, why)
        return Earlier({})


def gather_responses(stated: Mapping[str, ResponsePart], rules: Sequence[str], earlier: Responses) -> Responses:
    """The responses that a report shows, by rule: those that are stated, and for other rules those of the bundle before.

    Args:
        stated: What ``audit.toml`` says, by rule.
        rules: Ids of the policy's rules.
        earlier: What the bundle before showed.

    Raises:
        ConfigurationError: If what is stated is about a rule that the policy does not have.
    """
    for rule in stated:
        if rule not in rules:
            raise ConfigurationError(
                f"[responses] answers to the rule {rule!r}, which the policy has not", remedy=did_you_mean(rule, rules)
            )
    own = {rule: _stated(part) for rule, part in stated.items()}
    return {rule: answer for rule, answer in {**earlier, **own}.items() if rule in rules}


def _stated(part: ResponsePart) -> dict[str, str]:
    return {name: str(value) for name, value in part.model_dump(exclude_none=True).items()}
