"""Appendix of a room: everything that its checks found, and how they were run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.evidence import Evidence
from audit.report.contents import Contents
from audit.report.document import Block, Cell, Facts, Group, Paragraph, Part, Points
from audit.report.parts.choices import ROOMS, chosen_figures
from audit.report.parts.numbers import by_group, grouped, measures
from audit.report.parts.pictures import picture
from audit.report.parts.tables import grid, shown_tables
from classifier.metric import Metric

# More measurements of one metric than this are folded away.
_MANY = 12


def room_details(contents: Contents, room: str) -> Part:
    """Check by check: its question, its numbers, tables and pictures, and its options.

    Args:
        contents: What is shown.
        room: The area.
    """
    say = contents.catalogue
    title = say("heading.room_details", {"room": say(f"room.{room}")})
    return Part(f"{room}-details", title, "appendix", check_groups(contents, room))


def check_groups(contents: Contents, room: str) -> tuple[Group, ...]:
    """One group for each check of a room.

    Args:
        contents: What is shown.
        room: The area.
    """
    return tuple(_check(contents, room, evidence) for evidence in contents.evidence(room))


def _check(contents: Contents, room: str, evidence: Evidence) -> Group:
    say, check = contents.catalogue, evidence.check
    blocks: list[Block] = [Paragraph(say(f"check.{check}.question"), "question")]
    if evidence.not_run is not None:
        blocks.append(Points((Cell(contents.wording.told(evidence.not_run), verdict="not_run"),)))
    else:
        blocks.append(Paragraph(say(f"check.{check}.reading")))
        blocks += [Paragraph(say(f"note.{note}"), "note") for note in evidence.notes]
        blocks += _measured(contents, room, evidence)
    blocks.append(_options(contents, evidence))
    return Group(check, say(f"check.{check}.title"), tuple(blocks))


def _measured(contents: Contents, room: str, evidence: Evidence) -> list[Block]:
    say, check = contents.catalogue, evidence.check
    few, many = _by_name(evidence)
    blocks: list[Block] = [measures(contents, say("heading.numbers"), few)] if few else []
    blocks += [by_group(contents, attribute, groups) for attribute, groups in grouped(evidence).items()]
    in_body = chosen_figures(contents, room) if room in ROOMS else []
    for figure in evidence.figures:
        if (check, figure) in in_body:
            told = say("body.picture_above", {"title": contents.wording.figure(check, figure, "title")})
            blocks.append(Points((Cell(told, link=room),)))
        else:
            blocks.append(picture(contents, check, figure))
    blocks += [grid(contents, check, table) for table in shown_tables(evidence)]
    for name, metrics in many.items():
        shown = measures(contents, say("heading.numbers"), {name: metrics})
        blocks.append(Group(f"{check}.{name}", contents.wording.title(name), (shown,), folded=True))
    if evidence.parameters.get("cleaning"):
        blocks.append(Group(f"{check}.cleaning", say("heading.cleaning"), (_cleaning(contents, evidence.parameters["cleaning"]),)))
    return blocks


def _by_name(evidence: Evidence) -> tuple[dict[str, list[Metric]], dict[str, list[Metric]]]:
    """The numbers of a check by name, but for those of groups: the metrics with few measurements, and those with many."""
    by_name: dict[str, list[Metric]] = {}
    for metric in evidence.metrics:
        if "group" not in metric.where:
            by_name.setdefault(metric.name, []).append(metric)
    few = {name: found for name, found in by_name.items() if len(found) <= _MANY}
    return few, {name: found for name, found in by_name.items() if len(found) > _MANY}


def _cleaning(contents: Contents, cleaning: Mapping[str, Any]) -> Points:
    say = contents.catalogue
    lines = [say(f"cleaning.{key}", cleaning) for key in ("rows_read", "rows_without_target", "duplicates")]
    lines += [say(f"cleaning.{key}", {"list": _listed(cleaning[key])}) for key in ("missing", "filled", "constant") if cleaning[key]]
    return Points(tuple(Cell(line) for line in (*lines, *map(contents.wording.told, cleaning["notes"]))))


def _options(contents: Contents, evidence: Evidence) -> Group:
    shown = {"seed": evidence.seed, **{name: value for name, value in evidence.parameters.items() if not isinstance(value, Mapping)}}
    facts = Facts(tuple((name, Cell(_listed(value), code=True)) for name, value in shown.items()))
    return Group(f"{evidence.check}.options", contents.catalogue("heading.options"), (facts,), folded=True)


def _listed(value: Any) -> str:
    """A list or a mapping as one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {entry}" for name, entry in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
