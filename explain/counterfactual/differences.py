"""Differences: the table of one input beside its counterfactuals, in words; a page and a picture show the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explain.counterfactual.player_names import called_in
from explain.counterfactual.printed import words_of_changes
from explain.counterfactual.wording import TABLE, Language, remarks, shown, spaced, words_of

if TYPE_CHECKING:
    from explain.counterfactual.result import Counterfactuals


@dataclass(frozen=True)
class Case:
    """One column.

    Args:
        head: What it is.
        cells: The value of each player.
        marked: Which of them differ from the input's.
        decided: The class decided of it.
        target: The class that its probability is of.
        probability: That, in words.
        before: The same of the input, in words.
        succeeds: Whether it does what was asked.
    """

    head: str
    cells: list[str]
    marked: list[bool]
    decided: str
    target: str
    probability: str
    before: str
    succeeds: bool


@dataclass(frozen=True)
class Differences:
    """One input, and what it might have been.

    Args:
        title: What the table is about.
        players: The players that differ in any of them.
        now: Their values.
        decided: The class decided of the input.
        cases: What it might have been.
        remarks: What else is to be known, as sentences.
    """

    title: str
    players: list[str]
    now: list[str]
    decided: str
    cases: list[Case]
    remarks: list[str]


def differences_of(one: Counterfactuals, language: Language, names: Mapping[str, str] | None) -> Differences:
    """The table of one input.

    Args:
        one: The counterfactuals of one input.
        language: ``"en"`` or ``"zh-CN"``.
        names: What to call features, classes and categories; what is not named keeps its own name.
    """
    quote, words, changes = words_of(language)["quote"], TABLE[language], one.changes()
    called = called_in(language, names, changes, one.schema.modality)

    def name(text: str) -> str:
        return called.get(text, text)

    players = [one.modality.players[index] for index in one.changed.any(0).nonzero()[:, 0].tolist()]
    now = words_of_changes(one)[0][0]
    before, after = one.probability_before.tolist(), one.probability_after.tolist()
    cases = []
    for index, own in enumerate(changes):
        succeeds, limit = bool(one.succeeds[index]), (one.border(index) or (None,))[0]
        new = {change.feature: name(change.after) or words["left out"] for change in own}
        head = words[one.kind if succeeds else "closest"]
        head = f"{head} {index + 1}" if len(one.row) > 1 else head
        if int(one.donor[index]) >= 0:
            head = f"{head}{words['comma']}{words['donor'].format(int(one.donor[index]))}"
        cases.append(
            Case(
                head=spaced(head),
                cells=[new.get(player, words["unchanged"]) for player in players],
                marked=[player in new for player in players],
                decided=name(one.classes[int(one.changed_decided[index])]),
                target=name(one.target[index]),
                probability=shown(after[index], before[index], limit),
                before=shown(before[index], after[index], limit),
                succeeds=succeeds,
            )
        )
    decided = name(one.classes[int(one.decided[0])])
    title = words["title" if one.kind == "counterfactual" else "kept"].format(quote.format(decided))
    if not bool(one.found[0]):
        title = f"{title}{words['colon']}{words['none'].format(f'{int(one.evaluations[0]):,}')}"
    longer = bool(one.found[0]) and any(change.longer for own in changes for change in own)
    return Differences(
        title=title,
        players=[name(player) for player in players],
        now=[name(now[player]) for player in players],
        decided=decided,
        cases=cases,
        remarks=remarks(language, quote.format(name(one.target[0])), one.border(0), longer=longer),
    )
