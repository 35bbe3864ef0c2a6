"""Machine-readable zones of passports and identity cards (ICAO 9303, parts 3 to 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register

_VALUES = {character: value for value, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}
_DATE = r"[0-9<]{6}\d[MFX<]\d{6}\d"
_BOOKLET = re.compile(rf"[A-Z0-9<]{{9}}[0-9<][A-Z<]{{3}}{_DATE}(?:[A-Z0-9<]{{14}}[0-9<]\d|[A-Z0-9<]{{7}}\d)")
_CARD = re.compile(rf"[ACI][A-Z0-9<][A-Z<]{{3}}[A-Z0-9<]{{9}}[0-9<][A-Z0-9<]{{15}}\s*{_DATE}[A-Z<]{{3}}[A-Z0-9<]{{11}}\d")


@register
@dataclass(frozen=True)
class PassportMrz(Kind):
    """The second line of a passport (44 characters) or of a card of two lines (36), or the first two of a card of three (30 each)."""

    noun = "machine-readable zones of travel documents"
    evidence = "checksum"
    # Number, birth, expiry and the composite have a digit each. The composite is not independent, and three remain.
    chance = 1e-3
    pattern = re.compile(rf"(?<![A-Z0-9<])(?:{_CARD.pattern}|{_BOOKLET.pattern})(?![A-Z0-9<])", re.ASCII)
    column_names = ("mrz", "passport", "护照")

    def holds(self, candidate: str) -> bool:
        """All check digits are right."""
        text = re.sub(r"\s", "", candidate)
        if len(text) == 60:
            first, second = text[:30], text[30:]
            checked = [(first[5:14], first[14]), (second[:6], second[6]), (second[8:14], second[14])]
            checked.append((first[5:] + second[:7] + second[8:15] + second[18:29], second[29]))
        else:
            checked = [(text[:9], text[9]), (text[13:19], text[19]), (text[21:27], text[27])]
            checked.append((text[:10] + text[13:20] + text[21:-1], text[-1]))
        return all(_check_digit(field) == (0 if digit == "<" else int(digit)) for field, digit in checked)


def _check_digit(field: str) -> int:
    """ICAO 9303-3, section 4.9: weights 7, 3, 1."""
    return sum(_VALUES[character] * (7, 3, 1)[place % 3] for place, character in enumerate(field)) % 10
