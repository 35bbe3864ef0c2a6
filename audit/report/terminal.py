"""The verdict for a terminal: readable without colours, in 80 columns."""

from __future__ import annotations

import textwrap

from audit.bundle import Audit
from audit.policy import VERDICTS
from audit.report.catalogue import read_catalogue
from audit.report.contents import Contents
from audit.report.wording import Wording

_VERDICT, _RULE = 14, 22


def summarise(audit: Audit, *, language: str = "en", width: int = 80) -> str:
    """What was found, rule by rule: the verdict, what was measured, and what is required.

    Args:
        audit: The record.
        language: Tag of a catalogue.
        width: Columns of the terminal.
    """
    say = read_catalogue(language)
    wording, contents = Wording(say), Contents(audit, say)
    lines = [say("report.title", {"name": audit.identity.name}), ""]
    for finding in contents.ranked():
        verdict = say(f"verdict.{finding.verdict}.word")
        head = f"{verdict:<{_VERDICT}}{finding.rule:<{_RULE}} "
        said = f"{wording.measured(finding.metric)}; {wording.limit(finding)}"
        if finding.metric is not None and finding.metric.unreliable:
            said = f"{said}; {say('number.unreliable', {'why': finding.metric.unreliable})}"
        if finding.violated and finding.waived_by is not None:
            said = f"{said}; {say('terminal.waived')}"
        room = width - _VERDICT - _RULE - 1
        first, *rest = textwrap.wrap(said, room) or [""]
        lines.append((head + first) if len(head) <= width - room else head.rstrip())
        lines += [" " * (_VERDICT + _RULE + 1) + line for line in (rest if len(head) <= width - room else [first, *rest])]
    if audit.findings:
        counts = audit.count()
        lines += ["", ", ".join(f"{say(f'verdict.{verdict}.word')} {counts[verdict]}" for verdict in VERDICTS)]
    missing = contents.not_measured()
    if missing:
        lines += ["", say("heading.not_measured")]
        for what, why in missing:
            lines += textwrap.wrap(f"{what}: {why}", width, initial_indent="  ", subsequent_indent="    ")
    held = sum(answer.holds for answer in audit.known_answers)
    lines += ["", say("terminal.known", {"held": held, "total": len(audit.known_answers)})]
    for line in contents.headline():
        lines += textwrap.wrap(line, width)
    return "\n".join(map(_printable, lines))


def _printable(line: str) -> str:
    """Without the control characters by which a name from a data file could command the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line.replace("\u00a0", " "))
