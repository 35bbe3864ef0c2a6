"""What changed, for a terminal: readable without colours, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.comparison.difference import TURNS, Change, Difference, RuleChange, Status
from audit.comparison.lines import wrap
from audit.comparison.phrases import Phrases
from audit.comparison.remediation import Remedy

# A list goes on in the JSON and in the HTML: what became better or worse is told here, of all else some of it.
_MOST, _FEW = 20, 5
_SHOWN: tuple[Status, ...] = ("regression", "possible", "improvement", "different", "untested")


def tell(difference: Difference, failed: Sequence[Remedy] = (), *, language: str = "en", width: int = 80) -> str:
    """What changed: what is not alike beside the measurements, the rules, what is worse and better, and what cannot be told.

    Args:
        difference: What changed.
        failed: What became of what had failed.
        language: Tag of a catalogue.
        width: Columns of the terminal.
    """
    words = Phrases.of(language)
    sides = (difference.old, difference.new)
    names = [f"{side.name} ({side.classifier[:8]})" if side.classifier else side.name for side in sides]
    lines = [*wrap(words.say("diff.title", {"old": names[0], "new": names[1]}), width), ""]
    for sentence in words.headline(difference):
        lines += wrap(sentence, width)
    for heading, told in (
        ("notices", _notices(difference, words, width)),
        ("rules", _rules(sorted(filter(_moved, difference.rules), key=lambda rule: TURNS.index(rule.turn)), words, width)),
        ("remediation", _remedies(failed, words, width)),
        *((status, _changes(difference, status, words, width)) for status in _SHOWN),
        ("incomparable", _incomparable(difference, words, width)),
    ):
        entries = list(told)
        if entries:
            lines += ["", words.say(f"diff.heading.{heading}")]
            # What is not alike, and with it every rule that was changed, is never cut short.
            most = len(entries) if heading == "notices" else _FEW if heading in ("different", "untested") else _MOST
            lines += [line for entry in entries[:most] for line in entry]
            if len(entries) > most:
                lines += wrap(words.say("diff.more", {"more": len(entries) - most}), width, indent="  ")
    return "\n".join(lines)


def tell_worse(difference: Difference, *, language: str, width: int) -> tuple[str, ...]:
    """What is worse alone: the rules that are newly violated, or cannot be decided, and the measurements."""
    words = Phrases.of(language)
    lines = [line for sentence in words.headline(difference) for line in wrap(sentence, width)]
    entries = [
        *_rules(difference.turned("newly_violated", "new_violation", "undecided", "removed", "eased"), words, width),
        *_changes(difference, "regression", words, width),
        *_headed(difference, words, width),
        *(_incomparable(difference, words, width) if difference.untold else ()),
    ]
    return (*lines, *(line for entry in entries for line in entry))


def _headed(difference: Difference, words: Phrases, width: int) -> Iterator[list[str]]:
    """What is possibly worse, under a heading of its own: it does not count for the exit code."""
    told = list(_changes(difference, "possible", words, width))
    yield from [wrap(words.say("diff.heading.possible"), width), *told] if told else []


def _moved(rule: RuleChange) -> bool:
    return rule.turn != "unchanged" or rule.asks_otherwise or bool(rule.waiver)


def _notices(difference: Difference, words: Phrases, width: int) -> Iterator[list[str]]:
    for notice in difference.notices:
        what, old, new = words.notice(notice)
        yield wrap(words.say("diff.was_is", {"what": what, "old": old, "new": new}), width, indent="  ", hanging="    ")
    for rule in difference.rules:
        for moved in words.moved(rule):
            yield wrap(words.wording.term(rule.rule, moved), width, indent="  ", hanging="    ")


def _rules(rules: Sequence[RuleChange], words: Phrases, width: int) -> Iterator[list[str]]:
    for rule in rules:
        verdicts = f"{words.verdict(rule.old)} → {words.verdict(rule.new)}"
        lines = wrap(words.wording.term(rule.rule, words.wording.points(verdicts, words.turn(rule))), width, indent="  ", hanging="    ")
        for side, finding in (("old", rule.old), ("new", rule.new)):
            if finding is not None:
                told = words.say(f"diff.side.{side}", {"told": words.judged(finding)})
                lines += wrap(told, width, indent="    ", hanging="      ")
        yield lines


def _remedies(failed: Sequence[Remedy], words: Phrases, width: int) -> Iterator[list[str]]:
    for remedy in failed:
        lines = wrap(words.wording.term(remedy.rule, words.say(f"diff.outcome.{remedy.outcome}")), width, indent="  ", hanging="    ")
        stated = words.wording.points(*(words.wording.term(term, text) for term, text in words.response(remedy)))
        yield [*lines, *wrap(stated, width, indent="    ", hanging="      ")]


def _changes(difference: Difference, status: Status, words: Phrases, width: int) -> Iterator[list[str]]:
    for change in sorted(difference.of(status), key=_weight):
        place = words.say("diff.place", {"measure": words.measure(change), "where": words.where(change)})
        lines = wrap(place, width, indent="  ", hanging="    ")
        both = f"{words.value(change, 'old')} → {words.value(change, 'new')}"
        values = words.wording.points(both, words.change(change), words.samples(change))
        lines += wrap(values, width, indent="    ", hanging="      ")
        yield [*lines, *wrap(words.test(change), width, indent="    ", hanging="      ")]


def _weight(change: Change) -> float:
    """What is least due to chance comes first."""
    return change.adjusted if change.adjusted is not None else -1.0


def _incomparable(difference: Difference, words: Phrases, width: int) -> Iterator[list[str]]:
    """What has one reason stands together; what neither audit has is nothing new."""
    for why, measures in words.by_reason(difference).items():
        yield [
            *wrap(why, width, indent="  ", hanging="    "),
            *wrap(words.wording.listed(measures), width, indent="    ", hanging="      "),
        ]
