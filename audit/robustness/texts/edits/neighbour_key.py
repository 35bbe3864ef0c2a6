"""A key beside the right one (Pruthi et al., 2019, arXiv:1905.11268)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from audit.robustness.texts.edit import EDITS, Edit, Kind
from audit.robustness.texts.letters import inner_letters
from audit.robustness.texts.reading import read_table


@EDITS.register
@dataclass(frozen=True, kw_only=True)
class NeighbourKey(Edit):
    """Write one inner letter as one that lies beside it on the keyboard, or put that one before it."""

    kind: ClassVar[Kind] = "characters"

    def alternatives(self, word: str) -> list[str]:
        return [
            word[:i] + written + word[i + 1 :]
            for i in inner_letters(word)
            for key in _beside().get(word[i].lower(), "")
            for written in ((key, key + word[i]) if word[i].islower() else (key.upper(), key.upper() + word[i]))
        ]


@cache
def _beside() -> dict[str, str]:
    """The keys that touch each key: its row's, and two of the row above and of the row below."""
    places = {key: (row, column) for row, keys in enumerate(read_table("keyboard")["rows"]) for column, key in enumerate(keys)}
    near = {(0, -1), (0, 1), (-1, 0), (-1, 1), (1, -1), (1, 0)}
    return {
        key: "".join(other for other, (r, c) in places.items() if (r - row, c - column) in near) for key, (row, column) in places.items()
    }
