"""Telephone numbers as they are dialled abroad: 00, a country code, and the rest behind a blank or a sign."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register
from audit.data.personal_identifiers.kinds._digits import NO_FRACTION, country_code


@register
@dataclass(frozen=True)
class Telephone00(Kind):
    """``00`` in place of ``+``; digits alone, and groups within a longer number, may be anything."""

    noun = "telephone numbers that start with 00"
    evidence = "form"
    # 44 of 90 codes of two digits; of one or three digits a fourth.
    chance = 0.49
    pattern = re.compile(
        rf"(?<![A-Za-z0-9+]){NO_FRACTION}(?<!\d[ \-/])00[1-9]\d{{0,2}}[ .\-/(](?:[ .\-/()]{{0,3}}\d){{4,13}}(?!\w|[.\-]\d)", re.ASCII
    )
    column_names = ("phone", "telephone", "tel", "mobile", "cell", "cellphone", "fax", "msisdn", "电话", "手机", "联系方式", "传真")

    def draw(self, candidate: str) -> str:
        """All but the last four digits: numbers that count on share them."""
        return re.sub(r"\D", "", candidate)[:-4]

    def holds(self, candidate: str) -> bool:
        """What stands before the first sign is a country code that is assigned."""
        first, digits = re.match(r"\d+", candidate[2:]), re.sub(r"\D", "", candidate[2:])
        return first is not None and 8 <= len(digits) <= 15 and country_code(digits) == first.group()
