"""A blank inside a word (Li et al., 2019, arXiv:1812.05271)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.texts.edit import EDITS, Edit, Kind
from audit.robustness.texts.letters import inner_letters
from audit.robustness.texts.reading import read_table


@EDITS.register
@dataclass(frozen=True, kw_only=True)
class WordSplitting(Edit):
    """Set a blank, or a character of no width that nobody sees, between two letters: ``"terrible"`` becomes ``"terri ble"``."""

    kind: ClassVar[Kind] = "characters"

    def alternatives(self, word: str) -> list[str]:
        gaps = (" ", *read_table("neutral")["zero_width"])
        return [word[:i] + gap + word[i:] for gap in gaps for i in inner_letters(word)]
