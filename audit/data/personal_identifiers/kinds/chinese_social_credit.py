"""Unified social credit codes of China (GB 32100-2015): of organisations, and of people who trade on their own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register
from audit.data.personal_identifiers.kinds._digits import NO_FRACTION, chinese_region

# The letters I, O, S, V and Z are not used.
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))


@register
@dataclass(frozen=True)
class ChineseSocialCredit(Kind):
    """Who registered it and as what, a place, the organisation's code, and a check character."""

    noun = "unified social credit codes"
    evidence = "checksum"
    chance = 1 / 31
    pattern = re.compile(
        rf"(?<![A-Za-z0-9]){NO_FRACTION}[1-9A-GNYa-gny][1-9A-Ga-g]\d{{6}}[0-9A-HJ-NP-RTUWXYa-hj-np-rtuwxy]{{10}}(?![A-Za-z0-9]|\.\d)",
        re.ASCII,
    )
    column_names = ("uscc", "信用代码")

    def candidates(self, cell: str) -> list[str]:
        """The stretches whose place is in a province, or is the country as a whole."""
        return [text.upper() for text in super().candidates(cell) if chinese_region(text[2:]) or text[2:4] == "10"]

    def holds(self, candidate: str) -> bool:
        """The last character is the check character."""
        total = sum(weight * _ALPHABET.index(character) for weight, character in zip(_WEIGHTS, candidate[:17], strict=True))
        return _ALPHABET[(31 - total % 31) % 31] == candidate[17]
