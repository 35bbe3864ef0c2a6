"""Check digits that several kinds share."""

from __future__ import annotations

import re
from datetime import date

# No point directly before, as fractions have one, unless it ends a word: "Tel.138...".
NO_FRACTION = r"(?:(?<!\.)|(?<=[^\s\d]\.))"

# GB/T 2260: the first two digits of a place in China; 71, 81 to 83 are used for Taiwan, Hong Kong and Macao.
_PROVINCE = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
# E.164 gives zones 1 and 7 country codes of one digit, and the others of two or three.
_COUNTRY = re.compile(
    r"[17]|2[07]|3[0-469]|4[01345-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    r"|2[1245689]\d|3[578]\d|42\d|5[09]\d|6[789]\d|8[0578]\d|9[67]\d|99[2-68]"
)


def country_code(digits: str) -> str | None:
    """The country code that digits start with, if it is one that is assigned."""
    found = _COUNTRY.match(digits)
    return None if found is None else found.group()


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
