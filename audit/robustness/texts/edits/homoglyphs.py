"""Letters of another script that look like a Latin one (Boucher et al., 2022, arXiv:2106.09898; Unicode Technical Standard 39)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.texts.edit import EDITS, Edit, Kind
from audit.robustness.texts.reading import read_table

# Full-width letters stand so far behind those of ASCII; normalisation to NFKC undoes them.
_FULL_WIDTH = 0xFEE0


@EDITS.register
@dataclass(frozen=True, kw_only=True)
class Homoglyphs(Edit):
    """Write one letter, then all of them, as Cyrillic, Greek or Armenian letters, digits or full-width letters that look like it."""

    kind: ClassVar[Kind] = "homoglyphs"

    def alternatives(self, word: str) -> list[str]:
        if not any(c.isalpha() for c in word):
            return []
        like = [_like(character) for character in word]
        single = [word[:i] + other + word[i + 1 :] for i, others in enumerate(like) for other in others]
        every = "".join(others[0] if others else character for character, others in zip(word, like, strict=True))
        return single if every in (word, *single) else [*single, every]


def _like(character: str) -> str:
    full = chr(ord(character) + _FULL_WIDTH) if character.isascii() and character.isalpha() else ""
    letters: dict[str, str] = read_table("look_alikes")["letters"]
    return letters.get(character, "") + full
