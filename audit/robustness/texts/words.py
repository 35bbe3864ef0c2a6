"""The words of a text as a reader counts them, with what stands between them."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Ideographs and kana, which are written without blanks between words: each is a word here.
_UNSPACED = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFD))


@dataclass(frozen=True)
class Words:
    """A text, taken apart so that it can be put together again.

    Args:
        words: Each run of letters, digits and the marks on them; each ideograph and kana alone; each phrase that was named.
        between: What stands before each word, and after the last: one more than there are words.
    """

    words: tuple[str, ...]
    between: tuple[str, ...]

    @classmethod
    def of(cls, text: str, phrases: Collection[str] = ()) -> Words:
        """Take a text apart.

        Args:
            text: Any text.
            phrases: In lower case, what counts as one word where it occurs, the longest first: ``"new york"``, ``"酒店"``.
        """
        lengths = sorted({len(phrase) for phrase in phrases}, reverse=True)
        words, between, gap, start = [], [], "", 0
        while start < len(text):
            stop = next(
                (start + n for n in lengths if text[start : start + n].lower() in phrases and _whole(text, start, start + n)), start
            )
            stop = stop if stop > start else _word_end(text, start)
            if stop == start:
                gap, start = gap + text[start], start + 1
                continue
            words.append(text[start:stop])
            between.append(gap)
            gap, start = "", stop
        return cls(tuple(words), (*between, gap))

    def joined(self, changes: Mapping[int, str] = MappingProxyType({})) -> str:
        """The text with some words written otherwise; a word written as nothing takes the blank before it along.

        Args:
            changes: For the position of a word, what stands there instead.
        """
        parts: list[str] = []
        for position, (gap, word) in enumerate(zip(self.between, self.words, strict=False)):
            written = changes.get(position, word)
            parts += [gap if written else gap.removesuffix(" "), written]
        return "".join((*parts, self.between[-1]))


def is_unspaced(character: str) -> bool:
    """Whether a character is an ideograph or kana, which no blanks part."""
    return any(low <= ord(character) <= high for low, high in _UNSPACED)


def _word_end(text: str, start: int) -> int:
    """Where the word that begins at `start` ends; `start` itself where none does."""
    if unicodedata.category(text[start])[0] not in "LN":
        return start
    stop, single = start + 1, is_unspaced(text[start])
    while stop < len(text) and _goes_on(text[stop], single):
        stop += 1
    return stop


def _goes_on(character: str, single: bool) -> bool:
    category = unicodedata.category(character)[0]
    return category == "M" or (category in "LN" and not single and not is_unspaced(character))


def _whole(text: str, start: int, stop: int) -> bool:
    """Whether a phrase neither begins nor ends inside a run of letters."""
    return not any(_run(text[edge - 1 : edge + 1]) for edge in (start, stop) if 0 < edge < len(text))


def _run(pair: Iterable[str]) -> bool:
    return all(unicodedata.category(character)[0] in "LNM" and not is_unspaced(character) for character in pair)
