"""Chinese resident identity numbers of 15 digits, as they were issued until 1999; they have no check digit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register
from audit.data.personal_identifiers.kinds._digits import NO_FRACTION, chinese_region, is_date


@register
@dataclass(frozen=True)
class ChineseIdentity15(Kind):
    """A place, a date of birth in the 20th century, and a number."""

    noun = "Chinese identity numbers of 15 digits"
    evidence = "form"
    # 35 of 100 provinces, and 36,525 of 1,000,000 dates.
    chance = 0.013
    pattern = re.compile(rf"(?<![A-Za-z0-9]){NO_FRACTION}\d{{15}}(?![A-Za-z0-9]|\.\d)", re.ASCII)
    column_names = ("idcard", "身份证", "证件号")

    def draw(self, candidate: str) -> str:
        """Place and date, which the rule is about: numbers that count on share them."""
        return candidate[:12]

    def holds(self, candidate: str) -> bool:
        """The place is in a province and the date exists."""
        return chinese_region(candidate) and is_date(1900 + int(candidate[6:8]), int(candidate[8:10]), int(candidate[10:12]))
