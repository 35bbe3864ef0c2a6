"""Chinese characters of the same sound (as in the misspellings of Wang et al., 2018, EMNLP, D18-1273)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.texts.edit import EDITS, Edit, Kind
from audit.robustness.texts.partners import partners_in


@EDITS.register
@dataclass(frozen=True, kw_only=True)
class SoundAlikes(Edit):
    """Write one character as one that sounds like it: 在 as 再."""

    kind: ClassVar[Kind] = "chinese"

    def alternatives(self, word: str) -> list[str]:
        return [
            word[:i] + other + word[i + 1 :] for i, character in enumerate(word) for other in partners_in("sound_alikes").get(character, ())
        ]
