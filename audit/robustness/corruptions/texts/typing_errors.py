"""Typing errors: a letter left out, doubled, swapped with the next, or its neighbour on the keyboard (Damerau, 1964)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.texts._pieces import Array, TextCorruption

# Chance of an error at each letter.
_ERRORS = (0.01, 0.03, 0.06, 0.1, 0.15)
_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@CORRUPTIONS["text"].register
@dataclass(frozen=True)
class TypingErrors(TextCorruption):
    """Mistype some letters and digits of each text, each of four ways as likely.

    Letters beyond the Latin ones have no neighbour on the keyboard here: one of them is doubled instead.
    """

    draws_each: ClassVar[int] = 3
    per_character: ClassVar[bool] = True

    def damage(self, text: str, severity: int, numbers: Array) -> str:
        typed: list[str] = []
        place = 0
        while place < len(text):
            letter = text[place]
            chance, kind, which = numbers[place].tolist()
            place += 1
            if chance >= _ERRORS[severity - 1] or not letter.isalnum():
                typed.append(letter)
                continue
            following = text[place] if place < len(text) else ""
            if kind < 0.25:
                continue
            if kind < 0.5 and following.isalnum():
                typed += [following, letter]
                place += 1
            elif kind < 0.75:
                typed.append(_neighbour(letter, which))
            else:
                typed += [letter, letter]
        return "".join(typed)


def _neighbour(letter: str, which: float) -> str:
    """The key left or right of a Latin letter; any other letter twice."""
    for row in _KEYBOARD:
        place = row.find(letter.lower())
        if place >= 0:
            beside = [at for at in (place - 1, place + 1) if 0 <= at < len(row)]
            key = row[beside[int(which * len(beside))]]
            return key.upper() if letter.isupper() else key
    return 2 * letter
