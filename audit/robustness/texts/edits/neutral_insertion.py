"""Something that says nothing, written after a word (as Jia and Liang, 2017, arXiv:1707.07328, add sentences)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.texts.edit import EDITS, Edit, Kind
from audit.robustness.texts.reading import read_table
from audit.robustness.texts.words import is_unspaced


@EDITS.register
@dataclass(frozen=True, kw_only=True)
class NeutralInsertion(Edit):
    """Write a neutral token after the word: ``" the"``, a full stop, ``"的"``, ``"。"``, or characters of no width."""

    kind: ClassVar[Kind] = "insertion"

    def alternatives(self, word: str) -> list[str]:
        table = read_table("neutral")
        return [word + token for token in (*table["unspaced" if is_unspaced(word[-1]) else "spaced"], *table["zero_width"])]
