"""Words in the wrong order: neighbours that changed places."""

from __future__ import annotations

from dataclasses import dataclass

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.texts._pieces import Array, TextCorruption, pieces, word_places

# Chance that a word changes places with the next.
_SWAPPED = (0.05, 0.1, 0.2, 0.3, 0.5)


@CORRUPTIONS["text"].register
@dataclass(frozen=True)
class SwappedWords(TextCorruption):
    """Let some neighbouring words of each text change places, or ideographs; what stands between them stays."""

    def damage(self, text: str, severity: int, numbers: Array) -> str:
        parts = pieces(text)
        places = word_places(parts)
        index = 0
        while index < len(places) - 1:
            if numbers[index, 0] >= _SWAPPED[severity - 1]:
                index += 1
                continue
            here, there = places[index], places[index + 1]
            parts[here], parts[there] = parts[there], parts[here]
            # A word moves by one place at most.
            index += 2
        return "".join(parts)
