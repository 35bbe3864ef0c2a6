"""Two neighbouring letters changed for each other (Pruthi et al., 2019, arXiv:1905.11268)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.texts.edit import EDITS, Edit, Kind
from audit.robustness.texts.letters import inner_letters


@EDITS.register
@dataclass(frozen=True, kw_only=True)
class LetterSwap(Edit):
    """Swap two inner letters that differ: ``"terrible"`` becomes ``"terrbile"``."""

    kind: ClassVar[Kind] = "characters"

    def alternatives(self, word: str) -> list[str]:
        inner = inner_letters(word)
        return [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in inner[:-1] if word[i] != word[i + 1]]
