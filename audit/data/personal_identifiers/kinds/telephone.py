"""Telephone numbers in international form (ITU-T E.164)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register
from audit.data.personal_identifiers.kinds._digits import NO_FRACTION, country_code


@register
@dataclass(frozen=True)
class Telephone(Kind):
    """``+`` and a country code, 8 to 15 digits in all, with blanks, points, hyphens, slashes and brackets between them."""

    noun = "international telephone numbers"
    evidence = "form"
    pattern = re.compile(rf"(?<![A-Za-z0-9+]){NO_FRACTION}\+[1-9](?:[ .\-/()]{{0,3}}\d){{6,14}}(?!\w|[.\-]\d)", re.ASCII)
    column_names = ("phone", "telephone", "tel", "mobile", "cell", "cellphone", "fax", "msisdn", "电话", "手机", "联系方式", "传真")

    def holds(self, candidate: str) -> bool:
        """The country code is one that is assigned; where a point alone divides it, as a signed fraction, the code ends there."""
        digits = re.sub(r"\D", "", candidate)
        code = country_code(digits)
        fraction = re.match(r"\+(\d+)\.\d+(?: |$)", candidate)
        return 8 <= len(digits) <= 15 and code is not None and (fraction is None or fraction[1] == code)
