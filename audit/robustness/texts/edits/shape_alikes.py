"""Chinese characters of a similar shape (as in the misspellings of Wang et al., 2018, EMNLP, D18-1273)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.texts.edit import EDITS, Edit, Kind
from audit.robustness.texts.partners import partners_in


@EDITS.register
@dataclass(frozen=True, kw_only=True)
class ShapeAlikes(Edit):
    """Write one character as one that looks like it: 未 as 末."""

    kind: ClassVar[Kind] = "chinese"

    def alternatives(self, word: str) -> list[str]:
        return [
            word[:i] + other + word[i + 1 :] for i, character in enumerate(word) for other in partners_in("shape_alikes").get(character, ())
        ]
