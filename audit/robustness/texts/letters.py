"""Which letters of a word may change while a reader still reads it."""

from __future__ import annotations

from audit.robustness.texts.words import is_unspaced

# Readers hold on to the first and the last letter, so that shorter words have nothing to change (Pruthi et al., 2019).
_LEAST = 4


def inner_letters(word: str) -> range:
    """The positions between the first and the last letter; none in a short word, a number, or ideographs."""
    if len(word) < _LEAST or not word.isalpha() or any(map(is_unspaced, word)):
        return range(0)
    return range(1, len(word) - 1)
