"""Composing: from what changed to a document in one language, that is set as the report is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from audit.comparison.difference import TURNS, Difference, RuleChange, Side, Status
from audit.comparison.phrases import Phrases
from audit.comparison.remediation import Remedy
from audit.report.document import Block, Cell, Document, Facts, Grid, Group, Head, Paragraph, Part, Points
from classifier.records import as_record, digest

_ID_DIGITS = 12


def compose(difference: Difference, failed: Sequence[Remedy] = (), *, language: str = "en", date: str = "") -> Document:
    """What changed as a document: the same for the same two audits.

    Args:
        difference: What changed.
        failed: What became of what had failed.
        language: Tag of a catalogue.
        date: The day on which the new audit was run, in ISO 8601, if it is known.

    Raises:
        ConfigurationError: If there is no catalogue of the language.
    """
    words = Phrases.of(language)
    say = words.say
    identifier = digest([as_record(difference), [as_record(remedy) for remedy in failed]])[:_ID_DIGITS]
    title = say("diff.names", {"old": difference.old.name, "new": difference.new.name})
    return Document(
        language=say("language.tag"),
        title=title,
        kind=say("diff.kind"),
        subtitle=say("diff.subtitle", {"id": identifier, "profile": say(f"profile.{difference.profile}")}),
        id=identifier,
        revision="1",
        date=date,
        footer=say("diff.footer", {"title": title, "id": identifier}),
        parts=(
            _verdict(difference, words),
            *_rules(difference, words),
            *([_remediation(failed, words)] if failed else []),
            *(_measurements(difference, words, status, "body") for status in ("regression", "possible", "improvement")),
            _incomparable(difference, words),
            *(_measurements(difference, words, status, "appendix") for status in ("different", "untested", "same")),
            _method(difference, words),
        ),
    )


def _verdict(difference: Difference, words: Phrases) -> Part:
    say = words.say
    blocks: list[Block] = [
        Paragraph(sentence, "headline" if place == 0 else "lead") for place, sentence in enumerate(words.headline(difference))
    ]
    blocks.append(Facts(tuple((say(f"diff.column.{name}"), _side(side, words)) for name, side in _sides(difference))))
    moved = [(Cell(rule.rule), Cell(old, small=how), Cell(new)) for rule in difference.rules for how, old, new in words.movements(rule)]
    rows = [*(tuple(map(Cell, words.notice(notice))) for notice in difference.notices), *moved]
    heads = tuple(Head(say(f"diff.column.{name}")) for name in ("what", "old", "new"))
    notices: Block = Grid(say("diff.heading.notices"), heads, tuple(rows)) if rows else Paragraph(say("diff.all_alike"))
    return Part("verdict", say("diff.heading.verdict"), "body", (*blocks, notices))


def _sides(difference: Difference) -> tuple[tuple[str, Side], ...]:
    return ("old", difference.old), ("new", difference.new)


def _side(side: Side, words: Phrases) -> Cell:
    policy = words.say("diff.of_policy", {"policy": side.policy}) if side.policy else ""
    told = (policy, side.classifier or words.say("identity.no_classifier"))
    return Cell(side.name, small=words.wording.points(*told), strong=True)


def _rules(difference: Difference, words: Phrases) -> tuple[Part, ...]:
    if not difference.rules:
        return ()
    say = words.say
    heads = tuple(Head(say(f"diff.column.{name}")) for name in ("rule", "old", "new", "turn"))
    order = sorted(difference.rules, key=lambda rule: TURNS.index(rule.turn))
    rows = tuple((Cell(rule.rule), _finding(rule, "old", words), _finding(rule, "new", words), Cell(words.turn(rule))) for rule in order)
    return (Part("rules", say("diff.heading.rules"), "body", (Grid(say("diff.caption.rules"), heads, rows),)),)


def _finding(rule: RuleChange, side: str, words: Phrases) -> Cell:
    finding = rule.old if side == "old" else rule.new
    if finding is None:
        return Cell(words.say("diff.absent"))
    return Cell("", small=words.judged(finding), verdict=finding.verdict)


def _remediation(failed: Sequence[Remedy], words: Phrases) -> Part:
    say = words.say
    groups = []
    for place, remedy in enumerate(failed, start=1):
        facts = [
            (say("diff.column.old"), _measured(remedy, "old", words)),
            *((term, Cell(text)) for term, text in words.response(remedy)),
            (say("diff.column.new"), _measured(remedy, "new", words)),
            (say("diff.column.outcome"), Cell(say(f"diff.outcome.{remedy.outcome}"), strong=True)),
        ]
        groups.append(Group(f"remedy-{place}", remedy.rule, (Facts(tuple(facts)),)))
    return Part("remediation", say("diff.heading.remediation"), "body", (Paragraph(say("diff.remediation_lead"), "lead"), *groups))


def _measured(remedy: Remedy, side: str, words: Phrases) -> Cell:
    finding = remedy.old if side == "old" else remedy.new
    if finding is None:
        return Cell(words.say("diff.absent"))
    return Cell(words.wording.measured(finding.metric), small=words.wording.requirement(finding), verdict=finding.verdict)


def _measurements(difference: Difference, words: Phrases, status: Status, place: Literal["body", "appendix"]) -> Part:
    say, changes = words.say, difference.of(status)
    title = say(f"diff.heading.{status}")
    if not changes:
        return Part(status, title, place, (Paragraph(say("diff.none_here")),))
    names = ("measure", "old", "new", "difference", "test")
    heads = tuple(Head(say(f"diff.column.{name}")) for name in names)
    rows = tuple(
        (
            Cell(words.measure(change), small=words.where(change)),
            Cell(words.value(change, "old"), small=words.interval(change, "old")),
            Cell(words.value(change, "new"), small=words.interval(change, "new")),
            Cell(words.difference(change), small=words.reach(change)),
            Cell(words.corrected(change), small=words.method(change)),
        )
        for change in changes
    )
    return Part(status, title, place, (Paragraph(say(f"diff.lead.{status}")), Grid(say("diff.caption.measurements"), heads, rows)))


def _incomparable(difference: Difference, words: Phrases) -> Part:
    say, found = words.say, words.by_reason(difference)
    if not found:
        return Part("incomparable", say("diff.heading.incomparable"), "body", (Paragraph(say("diff.none_here")),))
    heads = (Head(say("diff.column.why")), Head(say("diff.column.measure")))
    rows = tuple((Cell(why), Cell(words.wording.listed(measures))) for why, measures in found.items())
    grid = Grid(say("diff.caption.incomparable"), heads, rows)
    return Part("incomparable", say("diff.heading.incomparable"), "body", (Paragraph(say("diff.lead.incomparable")), grid))


def _method(difference: Difference, words: Phrases) -> Part:
    say = words.say
    told = {"foremost": difference.foremost, "tested": difference.tested, "alpha": words.wording.number(difference.alpha, "percent")}
    points = tuple(Cell(say(f"diff.how.{key}", told)) for key in say.under("diff.how"))
    return Part("method", say("diff.heading.method"), "appendix", (Points(points),))
