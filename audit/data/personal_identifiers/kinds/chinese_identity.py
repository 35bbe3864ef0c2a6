"""Chinese resident identity numbers of 18 characters (GB 11643-1999)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register
from audit.data.personal_identifiers.kinds._digits import NO_FRACTION, chinese_region, is_date

# ISO/IEC 7064 mod 11-2: powers of two, and the check character of each remainder.
_WEIGHTS = tuple(2 ** (17 - place) % 11 for place in range(17))
_CHECK = "10X98765432"


@register
@dataclass(frozen=True)
class ChineseIdentity(Kind):
    """A place, a date of birth, a number, and a check character."""

    noun = "Chinese resident identity numbers"
    evidence = "checksum"
    chance = 1 / 11
    pattern = re.compile(rf"(?<![A-Za-z0-9]){NO_FRACTION}\d{{17}}[\dXx](?![A-Za-z0-9]|\.\d)", re.ASCII)
    column_names = ("idcard", "身份证", "证件号")

    def candidates(self, cell: str) -> list[str]:
        """The stretches whose place is in a province and whose date exists. Chance is judged among these: other numbers have them too."""
        return [text.upper() for text in super().candidates(cell) if _is_form(text)]

    def holds(self, candidate: str) -> bool:
        """The last character is the check character."""
        total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, candidate[:17], strict=True))
        return _CHECK[total % 11] == candidate[17]


def _is_form(text: str) -> bool:
    year = int(text[6:10])
    return chinese_region(text) and 1880 <= year < 2050 and is_date(year, int(text[10:12]), int(text[12:14]))
