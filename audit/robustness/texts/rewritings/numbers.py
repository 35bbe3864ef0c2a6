"""Numbers, changed by a little (Ribeiro et al., 2020, arXiv:2005.04118)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from audit.robustness.texts.rewriting import REWRITINGS, Rewriting

# Digits beside a Latin letter are part of a name: B2B, MP3. A rating says what the text is about, "5 stars", "4 out of 5", "4/5",
# "5星", "8分"; and the number of a point in a list says nothing, "2、".
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9])(?<!/)(?<!/ )(?<!\bof )[0-9]+(?![A-Za-z0-9])"
    r"(?!\s*-?\s*(?:stars?\b|points?\b|out\s+of\b|of\s+[0-9]|/\s*[0-9]|颗?\s*星|分(?!\s*钟)|、))",
    re.IGNORECASE,
)


@REWRITINGS.register
@dataclass(frozen=True)
class Numbers(Rewriting):
    """Every number but a rating gets another last digit, the same wherever it stands; a number of one digit stays above 0."""

    def variants(self, text: str, count: int, generator: np.random.Generator) -> list[str]:
        found = sorted(set(_NUMBER.findall(text)))
        others = {number: generator.permutation(np.array(_digits(number), dtype=object)) for number in found}
        texts: dict[str, None] = {}
        for turn in range(count if found else 0):
            chosen = {number: f"{number[:-1]}{drawn[turn % len(drawn)]}" for number, drawn in others.items()}
            texts[_NUMBER.sub(lambda match, chosen=chosen: chosen[match.group()], text)] = None  # type: ignore[misc]
        return list(texts)


def _digits(number: str) -> list[str]:
    return [digit for digit in "0123456789"[len(number) == 1 :] if digit != number[-1]]
