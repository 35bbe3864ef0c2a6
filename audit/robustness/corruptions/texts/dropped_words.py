"""Words that were left out."""

from __future__ import annotations

from dataclasses import dataclass

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.texts._pieces import Array, TextCorruption, pieces, word_places, written_words

# Share of the words.
_DROPPED = (0.05, 0.1, 0.2, 0.3, 0.5)


@CORRUPTIONS["text"].register
@dataclass(frozen=True)
class DroppedWords(TextCorruption):
    """Leave some words of each text out, or some ideographs, but never the last one that is left."""

    def damage(self, text: str, severity: int, numbers: Array) -> str:
        parts = pieces(text)
        places = word_places(parts)
        gone = [place for place, number in zip(places, numbers[:, 0], strict=False) if number < _DROPPED[severity - 1]]
        if len(gone) == len(places) > 0:
            # The word of the largest number stays, whatever the severity.
            gone.remove(places[int(numbers[: len(places), 0].argmax())])
        dropped = set(gone)
        return written_words([part for place, part in enumerate(parts) if place not in dropped])
