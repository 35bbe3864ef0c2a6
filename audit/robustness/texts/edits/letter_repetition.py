"""A letter written twice (Pruthi et al., 2019, arXiv:1905.11268)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.texts.edit import EDITS, Edit, Kind
from audit.robustness.texts.letters import inner_letters


@EDITS.register
@dataclass(frozen=True, kw_only=True)
class LetterRepetition(Edit):
    """Write one inner letter twice: ``"terrible"`` becomes ``"terriible"``."""

    kind: ClassVar[Kind] = "characters"

    def alternatives(self, word: str) -> list[str]:
        return [word[: i + 1] + word[i:] for i in inner_letters(word)]
