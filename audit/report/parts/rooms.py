"""Parts three to eight: what was measured in each area, for every reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from audit.report.contents import Contents
from audit.report.document import Block, Cell, Facts, Group, Paragraph, Part, Points
from audit.report.parts.choices import chosen_figures, chosen_numbers, judged_numbers
from audit.report.parts.numbers import by_group, grouped, key_numbers
from audit.report.parts.pictures import picture
from audit.report.parts.shortening import brief, shortened
from audit.report.parts.tables import grid
from classifier.metric import Metric

# Tables of a room's body, with the rows that there is place for; wider ones stand in the appendix only.
_TABLES = {
    "data": (("data.quality", "parts", 3), ("data.quality", "coverage", 12)),
    "performance": (("performance.accuracy", "confusion", 10),),
}
_WIDEST = 11
_MOST_NOTES, _MOST_LISTED, _MOST_REASON = 2, 160, 220
_MOST_ATTRIBUTES, _MOST_GROUPS, _MOST_COLUMNS = 2, 8, 3


def room_part(contents: Contents, room: str) -> Part:
    """The question of a room, its weightiest numbers and pictures, and what follows.

    Args:
        contents: What is shown.
        room: The area.
    """
    say = contents.catalogue
    blocks: list[Block] = [Paragraph(say(f"room_question.{room}"), "question"), Paragraph(say(f"room_lead.{room}"), "lead")]
    if room == "data":
        blocks.append(_origin(contents))
    if any(metric.value is not None for evidence in contents.evidence(room) for metric in evidence.metrics):
        numbers = chosen_numbers(contents, room)
        more = sum(metric not in numbers.get(metric.name, ()) for metric in judged_numbers(contents, room))
        blocks += [key_numbers(contents, say("heading.key_numbers"), numbers, more=more)] if numbers else []
        blocks += _tables(contents, room)
        blocks += _groups(contents, room)
        blocks += [picture(contents, check, figure) for check, figure in chosen_figures(contents, room)]
        blocks.append(_follows(contents, room, numbers))
    else:
        blocks += _nothing(contents, room)
    if contents.evidence(room):
        blocks.append(Points((Cell(say("body.more"), link=f"{room}-details"),)))
    return Part(room, say(f"room.{room}"), "body", tuple(blocks))


def _origin(contents: Contents) -> Facts:
    say, identity = contents.catalogue, contents.audit.identity
    facts = (
        ("identity.source", brief(identity.source.get("name", say("number.dash")))),
        ("identity.independence", say(f"independence.{identity.independence}")),
        ("identity.protected", contents.wording.listed(identity.protected) or say("answer.none")),
        ("identity.protected_inputs", contents.wording.listed(identity.protected_inputs) or say("answer.none")),
    )
    return Facts(tuple((say(key), Cell(shortened(contents, text, most=_MOST_LISTED))) for key, text in facts))


def _tables(contents: Contents, room: str) -> list[Block]:
    held = {(evidence.check, table.name): table for evidence in contents.evidence(room) for table in evidence.tables}
    shown = [(check, held[check, name], most) for check, name, most in _TABLES.get(room, ()) if (check, name) in held]
    return [grid(contents, check, table, most=most) for check, table, most in shown if len(table.columns) <= _WIDEST]


def _groups(contents: Contents, room: str) -> list[Block]:
    """The groups of the attributes that a rule is about first, then of the others, as far as there is place."""
    asked = {finding.metric.where.get("attribute") for finding in contents.audit.findings if finding.metric is not None}
    attributes = [one for evidence in contents.evidence(room) for one in grouped(evidence).items()]
    shown = sorted(attributes, key=lambda one: one[0] not in asked)[:_MOST_ATTRIBUTES]
    blocks: list[Block] = []
    for attribute, groups in shown:
        few = {group: dict(islice(metrics.items(), _MOST_COLUMNS)) for group, metrics in islice(groups.items(), _MOST_GROUPS)}
        table = by_group(contents, attribute, few, short=True)
        blocks.append(table)
        if len(groups) > _MOST_GROUPS:
            more = contents.catalogue("scope.more", {"more": len(groups) - _MOST_GROUPS})
            blocks.append(Points((Cell(more, link=f"{room}-details"),)))
    return blocks


def _follows(contents: Contents, room: str, numbers: Mapping[str, Sequence[Metric]]) -> Group:
    """What to make of the numbers: what a reader must know of them, and what the rules say."""
    say = contents.catalogue
    shown = [evidence for evidence in contents.evidence(room) if any(metric.name in numbers for metric in evidence.metrics)]
    notes = list(dict.fromkeys(note for evidence in shown for note in evidence.notes[:1]))[:_MOST_NOTES]
    rules = [finding for finding in contents.audit.findings if finding.asked.startswith(f"{room}.")]
    counts = {
        "rules": len(rules),
        "violated": sum(finding.violated for finding in rules),
        "undecided": sum(finding.verdict in ("inconclusive", "not_run") and not finding.violated for finding in rules),
    }
    blocks = (
        Paragraph(say(f"room_follows.{room}")),
        *(Paragraph(say(f"note.{note}"), "note") for note in notes),
        Points((Cell(say("body.rules", counts), link="findings"),)) if rules else Paragraph(say("body.no_rules"), "muted"),
    )
    return Group(f"{room}-follows", say("heading.follows"), blocks)


def _nothing(contents: Contents, room: str) -> list[Block]:
    say, wording = contents.catalogue, contents.wording
    reasons = [
        Cell(
            say(f"check.{evidence.check}.title"),
            small=shortened(contents, wording.told(evidence.not_run or ""), most=_MOST_REASON),
            strong=True,
        )
        for evidence in contents.evidence(room)
    ]
    said = Paragraph(say("body.nothing"), "note")
    return [said, Points(tuple(reasons))] if reasons else [said]
