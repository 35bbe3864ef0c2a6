"""Next steps: what to do about a finding, and what its owner says is done."""

from __future__ import annotations

from audit.policy import Finding
from audit.report.contents import Contents
from audit.report.document import Cell

RESPONSES = ("owner", "response", "due", "status")


def next_step(contents: Contents, finding: Finding) -> str:
    """What to do next about a finding; empty for one that holds.

    Args:
        contents: What is shown.
        finding: The finding.
    """
    say = contents.catalogue
    if finding.verdict == "pass":
        return ""
    if finding.verdict != "fail":
        step = say(f"next.reason.{finding.reason}")
        needed = finding.samples_needed
        if needed is None or finding.metric is None:
            return step
        return contents.wording.sentences(step, say("finding.samples_text", {"samples": needed, "n": finding.metric.n}))
    own = f"next.metric.{finding.asked}"
    return say(own if own in say else f"next.room.{finding.asked.partition('.')[0]}")


def responses(contents: Contents, finding: Finding) -> list[tuple[str, Cell]]:
    """Owner, response, due date and status of a finding, each said to be missing where it is.

    Args:
        contents: What is shown.
        finding: The finding.
    """
    say, stated = contents.catalogue, contents.response(finding)
    return [(say(f"response.{name}"), Cell(stated.get(name) or say("identity.not_stated"))) for name in RESPONSES]


def responses_in_short(contents: Contents, finding: Finding) -> str:
    """The same in a phrase, which names what is missing once.

    Args:
        contents: What is shown.
        finding: The finding.
    """
    say, wording, stated = contents.catalogue, contents.wording, contents.response(finding)
    said = [wording.term(say(f"response.{name}"), stated[name]) for name in RESPONSES if stated.get(name)]
    missing = [say(f"response.{name}") for name in RESPONSES if not stated.get(name)]
    return wording.points(*said, say("response.missing", {"names": wording.listed(missing)}) if missing else "")
