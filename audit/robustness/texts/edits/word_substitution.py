"""Another word from a table that the caller supplies (as Ren et al., 2019, ACL, take synonyms)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.texts.edit import EDITS, Edit, Kind


@EDITS.register
@dataclass(frozen=True, kw_only=True)
class WordSubstitution(Edit):
    """Write the word as the table says; whether the meaning stays is the table's affair."""

    kind: ClassVar[Kind] = "substitution"

    def alternatives(self, word: str) -> list[str]:
        return [other for other in self.table.get(word.lower(), ()) if other != word]
