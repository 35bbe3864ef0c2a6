"""Appendix: how to run the audit again, how to hold the record against its digests, and what it ran on."""

from __future__ import annotations

from audit.report.contents import Contents
from audit.report.document import Block, Cell, Facts, Grid, Head, Paragraph, Part
from audit.report.parts.verdict import identity_in_full


def reproduce_part(contents: Contents) -> Part:
    """Commands, seed, versions, hardware, and the answers that were known beforehand.

    Args:
        contents: What is shown.
    """
    say, audit, run = contents.catalogue, contents.audit, contents.run
    facts = [
        (say("reproduce.audit"), Cell("assay audit audit.toml", code=True)),
        (say("reproduce.verify"), Cell("assay verify FOLDER", code=True)),
        (say("reproduce.seed"), Cell(str(audit.seed))),
        (say("identity.profile"), Cell(say(f"profile.{audit.profile}"))),
        (say("reproduce.record"), Cell(str(audit.version))),
        *identity_in_full(contents),
    ]
    if run.get("started"):
        facts.append((say("reproduce.started"), Cell(moment(run["started"]))))
    if run.get("seconds"):
        seconds = run["seconds"]
        stages = (stage for stage in say.under("stage") if stage in seconds)
        took = (say("reproduce.seconds_value", {"stage": say(f"stage.{stage}"), "seconds": seconds[stage]}) for stage in stages)
        facts.append((say("reproduce.seconds"), Cell(contents.wording.listed(took))))
    if run.get("hardware"):
        hardware = run["hardware"]
        parts = (say(f"hardware.{part}", {"value": hardware[part]}) for part in say.under("hardware") if part in hardware)
        facts.append((say("reproduce.hardware"), Cell(contents.wording.listed(parts))))
    software = Grid(
        say("heading.software"),
        (Head(say("column.name")), Head(say("column.version"))),
        tuple((Cell(name), Cell(version)) for name, version in audit.software.items()),
    )
    lead = Paragraph(contents.wording.sentences(say("reproduce.lead"), say("report.identical")))
    return Part("reproduce", say("heading.reproduce"), "appendix", (lead, Facts(tuple(facts)), *_known_answers(contents), software))


def moment(stamp: str) -> str:
    """A moment in ISO 8601, as it is read."""
    return stamp.replace("T", " ").replace("+00:00", " UTC")


def _known_answers(contents: Contents) -> tuple[Block, ...]:
    say, wording, answers = contents.catalogue, contents.wording, contents.audit.known_answers
    if not answers:
        return ()
    heads = (
        Head(say("column.statement")),
        Head(say("column.expected"), number=True),
        Head(say("column.measured"), number=True),
        Head(say("column.holds")),
    )
    rows = tuple(
        (
            Cell(wording.told(answer.statement), small=answer.id),
            Cell(wording.number(answer.expected)),
            Cell(wording.number(answer.measured)),
            Cell(say("answer.yes" if answer.holds else "answer.no")),
        )
        for answer in answers
    )
    return Paragraph(say("reproduce.known_lead")), Grid(say("heading.known_answers"), heads, rows)
