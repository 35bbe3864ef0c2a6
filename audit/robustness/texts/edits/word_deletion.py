"""A word left out (Feng et al., 2018, arXiv:1804.07781)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.texts.edit import EDITS, Edit, Kind
from audit.robustness.texts.reading import read_table


@EDITS.register
@dataclass(frozen=True, kw_only=True)
class WordDeletion(Edit):
    """Leave the word out, unless it is a negation, without which the text says the contrary."""

    kind: ClassVar[Kind] = "deletion"

    def alternatives(self, word: str) -> list[str]:
        kept: list[str] = read_table("negations")["kept"]["words"]
        return [] if word.lower() in kept else [""]
