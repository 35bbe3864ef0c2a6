"""Words in capitals, where the classifier tells large letters from small."""

from __future__ import annotations

from dataclasses import dataclass

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.texts._pieces import Array, TextCorruption, pieces, word_places
from classifier.modalities.text import tokenizer_of

# Share of the words.
_WRONG = (0.1, 0.2, 0.4, 0.7, 1.0)
_PROBE = ("reason", "REASON")


@CORRUPTIONS["text"].register
@dataclass(frozen=True)
class WrongCase(TextCorruption):
    """Write some words of each text in capitals, and those in capitals in small letters."""

    def why_not(self) -> str:
        small, large = tokenizer_of(self.schema.features[0]).encode(_PROBE)
        return "the tokenizer does not tell large letters from small" if small == large else ""

    def damage(self, text: str, severity: int, numbers: Array) -> str:
        parts = pieces(text)
        for place, number in zip(word_places(parts), numbers[:, 0], strict=False):
            if number < _WRONG[severity - 1]:
                parts[place] = parts[place].lower() if parts[place].isupper() else parts[place].upper()
        return "".join(parts)
