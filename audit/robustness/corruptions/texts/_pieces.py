"""What the corruptions of texts share: a text in pieces, and texts written out and read again."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from audit.robustness.corruptions.corruption import Corruption
from audit.robustness.corruptions.row_draws import RowDraws
from classifier.formats.texts import TEXT, is_blank
from classifier.modality import modality_of
from classifier.tokenizer import REPLACEMENT

Array = NDArray[np.float32]

# An ideograph or kana stands for itself; other letters and digits make words.
_IDEOGRAPH = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd]"
_PIECE = re.compile(rf"{_IDEOGRAPH}|(?:(?!{_IDEOGRAPH})\w)+|\s+|.", re.DOTALL)


def pieces(text: str) -> list[str]:
    """A text cut into words, ideographs, blanks and other characters, which joined are the text."""
    return _PIECE.findall(text)


def word_places(parts: Sequence[str]) -> list[int]:
    """Which pieces are words or ideographs."""
    # A word that the vocabulary lacks is one too, whatever it was.
    return [place for place, part in enumerate(parts) if part[0].isalnum() or part[0] in ("_", REPLACEMENT)]


def written_words(parts: Sequence[str]) -> str:
    """Pieces joined, with one blank where two or more met."""
    return re.sub(r"[ \t]{2,}", " ", "".join(parts)).strip()


@dataclass(frozen=True)
class TextCorruption(Corruption):
    """A corruption of texts as they are written out, which are then read as the schema reads them.

    A text that its tokens do not tell whole is corrupted as far as they tell it: a token that is not known stays one, and
    what was cut at the size is not there. A text of which nothing would be left stays as it was.
    """

    #: How many random numbers it needs for each word, or for each character.
    draws_each: ClassVar[int] = 1
    per_character: ClassVar[bool] = False

    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        modality = modality_of(self.schema)
        texts, changed = list(modality.decode(x)[TEXT]), self.written(x, severity, draws)
        # What is not changed is not read again either, since a tokenizer may not read its own writing.
        rows = [row for row, (old, new) in enumerate(zip(texts, changed, strict=True)) if old != new]
        corrupted = x.clone()
        if rows:
            corrupted[rows] = modality.encode(pd.DataFrame({TEXT: [changed[row] for row in rows]})).to(x)
        return corrupted

    def written(self, x: Tensor, severity: int, draws: RowDraws) -> list[str]:
        """The corrupted texts as they were written, before the tokenizer reads them; see `__call__`."""
        texts: list[str] = list(modality_of(self.schema).decode(x)[TEXT])
        longest = max((len(text) if self.per_character else len(word_places(pieces(text))) for text in texts), default=0)
        numbers = draws.uniform("places", (longest, self.draws_each)).cpu().numpy()
        changed = [self.damage(text, severity, row) for text, row in zip(texts, numbers, strict=True)]
        return [old if is_blank(new) else new for old, new in zip(texts, changed, strict=True)]

    @abstractmethod
    def damage(self, text: str, severity: int, numbers: Array) -> str:
        """Corrupt one text.

        Args:
            text: The text.
            severity: From 1 to 5.
            numbers: Random numbers in [0, 1), a row a word or a character ``(L, draws_each)``.
        """
