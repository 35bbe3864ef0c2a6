"""Player names in Chinese: a modality names the parts of an input in English, by a noun and numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from explain.counterfactual.wording import spaced

if TYPE_CHECKING:
    from explain.counterfactual.changes import Change
    from explain.counterfactual.wording import Language

_NOUNS = {"row": "行", "column": "列", "step": "步", "token": "个词元", "node": "个节点"}
# "token 3", "rows 5 to 8", and with what goes before it "gyroscope, steps 96 to 100".
_PLACE = re.compile(rf"(?:, )?\b({'|'.join(_NOUNS)})s? (\d+)(?: to (\d+))?(?=, |$)")
_STATES = {"not observed": "未观测", "no node": "无节点"}
_OBSERVED = re.compile(r"^(\d+) of (\d+) steps$")
_EDGES = re.compile(r"([\d.e+]+) edges?$")


def called_in(language: Language, names: Mapping[str, str] | None, changes: list[list[Change]], modality: str) -> Mapping[str, str]:
    """What to call what changes, where it is not as the modality says.

    Args:
        language: The language.
        names: What somebody calls it, which comes first.
        changes: The changes of some inputs.
        modality: Their modality: the features of a table and the words of a text are nobody's to translate.
    """
    if language == "en" or modality == "tabular":
        return names or {}
    every = [change for own in changes for change in own]
    said = [change.feature for change in every]
    if modality != "text":
        said += [word for change in every for word in (change.before, change.after)]
    return {text: in_chinese(text) for text in said} | dict(names or {})


def in_chinese(said: str) -> str:
    """The name of a player that is no feature of a table, or what is known of it, as a Chinese reader reads it."""
    if said in _STATES:
        return _STATES[said]
    placed = _OBSERVED.sub(r"\2步中的\1步", _PLACE.sub(_place, said))
    return spaced(_EDGES.sub(r"\1条边", placed).replace(", ", "，"))


def _place(found: re.Match[str]) -> str:
    noun, first, last = found.groups()
    return f"第{first}{f'至{last}' if last else ''}{_NOUNS[noun]}"
