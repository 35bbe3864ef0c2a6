"""Letters of a PDF: what its fonts can write, and where a long name may break."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

#: Stands where a line may break inside a word. The template puts a break there, and no letter: whoever copies the word gets the word.
BREAK = "\u200b"

# Chosen by hand from what typst's own fonts have beyond the Chinese one: exponents and indices.
_ELSEWHERE = frozenset("⁻⁰⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉")
_LONG = 16
# Without a sign to break after, a name breaks after so many letters; what may be a word of a language, only if it is longer than any.
_PIECE, _LONGEST_WORD = 8, 24
# Letters before those of East Asia, more than a piece of them.
_NARROW = re.compile(rf"[^\u2e80-\U0010ffff]{{{_PIECE + 1},}}")
_AFTER_SIGN = re.compile(r"(?<=[_./\\\-=:,;@|&?+])(?=\w)")


def writable(text: str, font: Path) -> str:
    """A text of letters that the font has; any other stands as its number, ``[U+1F600]``, so that nothing is lost unseen.

    Marks that turn the direction of writing or have no width are none of them: they make a name look like another one.

    Args:
        text: What is to be written.
        font: The font that has the most letters.
    """
    for letter in set(text) - _letters(font):
        text = text.replace(letter, " " if letter == "\t" else f"[U+{ord(letter):04X}]")
    return text


@cache
def _letters(font: Path) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    return frozenset(map(chr, FT2Font(str(font)).get_charmap())) | _ELSEWHERE | {"\n"}


def breakable(text: str, *, code: bool = False) -> str:
    """A text that may break inside its long words, each place marked by `BREAK`.

    Args:
        text: What is written.
        code: Whether it is a digest or a name, which may break anywhere.
    """
    return re.sub(r"\S+", lambda word: _broken(word[0], _LONG if code else _LONGEST_WORD), text)


def width(text: str) -> int:
    """How wide a text is, in letters; a Chinese one counts as two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 0 if letter == BREAK else 1 for letter in text)


def _broken(word: str, longest: int) -> str:
    if width(word) <= _LONG:
        return word
    pieces = _AFTER_SIGN.sub(BREAK, word).split(BREAK)
    return BREAK.join(_cut(piece) if len(piece) > longest else piece for piece in pieces)


def _cut(piece: str) -> str:
    """A piece with a place to break after every few letters; Chinese breaks by rules of its own, but not what stands in it."""
    return _NARROW.sub(lambda run: BREAK.join(run[0][start : start + _PIECE] for start in range(0, len(run[0]), _PIECE)), piece)
