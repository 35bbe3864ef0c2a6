"""Mobile telephone numbers of China (the number plan of the Ministry of Industry and Information Technology)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register
from audit.data.personal_identifiers.kinds._digits import NO_FRACTION

_SEGMENT = re.compile(r"1(?:3\d|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])")


@register
@dataclass(frozen=True)
class ChineseMobile(Kind):
    """11 digits whose first three are those of a mobile network; also with 86, +86 or 0086 before them."""

    noun = "Chinese mobile numbers"
    evidence = "form"
    # 59 of the 100 groups of three digits that start with 1.
    chance = 0.59
    pattern = re.compile(rf"(?<![\w+]){NO_FRACTION}(?:(?:\+|00)?86[ -]?)?1\d{{2}}[ -]?\d{{4}}[ -]?\d{{4}}(?!\w|[.\-]\d)", re.ASCII)
    column_names = ("phone", "telephone", "tel", "mobile", "cell", "cellphone", "电话", "手机", "联系方式")

    def draw(self, candidate: str) -> str:
        """The first seven digits: numbers that count on share them, and with them the three that the rule is about."""
        return re.sub(r"\D", "", candidate)[-11:-4]

    def holds(self, candidate: str) -> bool:
        """The first three digits are those of a mobile network."""
        return _SEGMENT.match(re.sub(r"\D", "", candidate)[-11:]) is not None
