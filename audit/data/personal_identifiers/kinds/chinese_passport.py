"""Passport numbers of China: a letter or two and digits, without a check digit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register


@register
@dataclass(frozen=True)
class ChinesePassport(Kind):
    """Ordinary (E, G), diplomatic (DE), service (SE), public affairs (PE), and those of Hong Kong (H, K) and Macao (MA, MB)."""

    noun = "Chinese passport numbers"
    evidence = "form"
    # Many codes are a letter and eight digits: the form says nothing unless the column's name agrees.
    alone = False
    pattern = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{1,2}\d{7,8}(?![A-Za-z0-9])", re.ASCII)
    column_names = ("passport", "护照", "证件号")

    def holds(self, candidate: str) -> bool:
        """The letters and the number of digits belong to one of the series."""
        return re.fullmatch(r"[EG]\d{8}|E[A-HJ-NP-Z]\d{7}|[DSP]E?\d{7}|[HK][A-Z]?\d{7,8}|M[AB]\d{7}", candidate.upper()) is not None
