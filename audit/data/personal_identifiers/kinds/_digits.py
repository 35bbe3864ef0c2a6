"""Check digits that several kinds share."""

from __future__ import annotations

import re
from datetime import date

# GB/T 2260: the first two digits of a place in China; 71, 81 to 83 are used for Taiwan, Hong Kong and Macao.
_PROVINCE = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")


def luhn(digits: str) -> bool:
    """Whether digits end in their Luhn check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def mod_97(text: str) -> int:
    """ISO/IEC 7064 mod 97-10 of digits and capital letters, A = 10 to Z = 35."""
    return int("".join(str(int(character, 36)) for character in text)) % 97


def chinese_region(code: str) -> bool:
    """Whether a code starts with the number of a province."""
    return _PROVINCE.match(code) is not None


def is_date(year: int, month: int, day: int) -> bool:
    """Whether there is such a day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
