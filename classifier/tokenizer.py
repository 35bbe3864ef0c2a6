"""Tokens of a text in any script, and the vocabulary that numbers them; normalised by NFKC (Unicode Standard Annex 15)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, Protocol

PADDING, UNKNOWN, MASK = "(padding)", "(unknown)", "(mask)"
SPECIAL = (PADDING, UNKNOWN, MASK)
#: What stands for an unknown token where a text is written out: U+FFFD, which is itself in no vocabulary.
REPLACEMENT = "\ufffd"
MOST_TOKENS = 8192
#: A token that occurs once in the data teaches nothing; as an unknown one it teaches what those are like.
LEAST_COUNT = 2

_JOINER = "\u200d"
# Ideographs and kana are written without blanks between words.
_UNSPACED = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFD))
_SKIN_TONES = (0x1F3FB, 0x1F3FF)

_Sort = Literal["word", "single", "attached", "blank"]


class Tokenizer(Protocol):
    """What turns texts into the numbers of their tokens."""

    @property
    def padding(self) -> int:
        """The number of what stands after the end."""

    @property
    def unknown(self) -> int:
        """The number of any token that is not known."""

    @property
    def mask(self) -> int:
        """The number that takes the place of a token that is left out."""

    @property
    def structure(self) -> tuple[int, ...]:
        """The numbers of what is no part of a text and never masked: padding, and what marks its begin and end."""

    @property
    def size(self) -> int:
        """How many tokens there are: their numbers are less."""

    def encode(self, texts: Sequence[str], extent: int | None = None) -> list[list[int]]:
        """The numbers of the tokens of each text, cut to `extent` where one is given."""

    def token(self, number: int) -> str:
        """One token in words."""

    def decode(self, numbers: Sequence[int]) -> str:
        """Tokens as a text."""


def split_tokens(text: str) -> list[str]:
    """The tokens of a text, in lower case and normalised by NFKC.

    An ideograph or kana is a token, a run of other letters and digits is a word, and punctuation, symbols and
    emoji are tokens of one character each, with the marks and joiners that belong to them.
    """
    normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    tokens: list[str] = []
    before: _Sort = "blank"
    for character in normal:
        sort = _sort(character)
        if sort == "blank":
            before = "blank"
            continue
        joined = before != "blank" and (sort == "attached" or tokens[-1].endswith(_JOINER) or sort == before == "word")
        if joined:
            tokens[-1] += character
        else:
            tokens.append(character)
        # A mark does not end the word that it stands on.
        before = before if sort == "attached" and joined else sort
    return tokens


def join_tokens(tokens: Iterable[str]) -> str:
    """Tokens as a text that has the very same tokens, with blanks only where they would run together."""
    text = ""
    for token in tokens:
        apart = text and ((_sort(token[0]) == "word" and not _ends_single(text)) or text.endswith(_JOINER) or _sort(token[0]) == "attached")
        text += f" {token}" if apart else token
    return text


def build_vocabulary(texts: Iterable[list[str]]) -> tuple[str, ...]:
    """The tokens that are known: the special ones, then the most frequent, ties by code point.

    Args:
        texts: The tokens of each text.
    """
    counts = Counter(token for tokens in texts for token in tokens)
    # What stands for unknown tokens is no token of its own.
    known = sorted(
        (token for token, count in counts.items() if count >= LEAST_COUNT and token != REPLACEMENT), key=lambda t: (-counts[t], t)
    )
    return (*SPECIAL, *known[: MOST_TOKENS - len(SPECIAL)])


@dataclass(frozen=True)
class VocabularyTokenizer:
    """The tokens of :func:`split_tokens`, numbered by a vocabulary.

    Args:
        vocabulary: Every token that is known; the first three are those of padding, unknown tokens and the mask.
    """

    vocabulary: tuple[str, ...]
    padding: int = 0
    unknown: int = 1
    mask: int = 2
    structure: tuple[int, ...] = (0,)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.vocabulary) if number >= len(SPECIAL)}

    @property
    def size(self) -> int:
        return len(self.vocabulary)

    def encode(self, texts: Sequence[str], extent: int | None = None) -> list[list[int]]:
        return [[self._numbers.get(token, self.unknown) for token in split_tokens(text)[:extent]] for text in texts]

    def token(self, number: int) -> str:
        return self.vocabulary[number]

    def decode(self, numbers: Sequence[int]) -> str:
        return join_tokens(
            REPLACEMENT if number == self.unknown else self.vocabulary[number] for number in numbers if number != self.padding
        )


@lru_cache(maxsize=65536)
def _sort(character: str) -> _Sort:
    category, code = unicodedata.category(character), ord(character)
    if category[0] == "M" or character == _JOINER or _SKIN_TONES[0] <= code <= _SKIN_TONES[1]:
        return "attached"
    # Invisible formats and halves of surrogate pairs say nothing.
    if category[0] in "ZC" and category not in ("Cn", "Co"):
        return "blank"
    if any(low <= code <= high for low, high in _UNSPACED):
        return "single"
    return "word" if category[0] in "LN" else "single"


def _ends_single(text: str) -> bool:
    """Whether the last token is no word, so that a word after it begins a new one."""
    base = next((character for character in reversed(text) if _sort(character) != "attached"), text[-1])
    return _sort(base) == "single"
