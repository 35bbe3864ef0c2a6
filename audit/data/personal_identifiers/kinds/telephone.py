"""Telephone numbers in international form (ITU-T E.164)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register

# The first digits of country codes and how long the code is: E.164 gives zones 1 and 7 one digit, and most others two or three.
_TWO = re.compile(r"2[07]|3[0-469]|4[01345-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")
_THREE = re.compile(r"2[1245689]\d|3[578]\d|42\d|5[09]\d|6[789]\d|8[0578]\d|9[67]\d|99[2-68]")


@register
@dataclass(frozen=True)
class Telephone(Kind):
    """``+`` and a country code, 8 to 15 digits in all, with blanks, points, hyphens and brackets between them.

    ``00`` in place of ``+`` counts where something stands between the country code and the rest: digits alone may be any number.
    """

    noun = "international telephone numbers"
    evidence = "form"
    pattern = re.compile(r"(?<![\w+.])(?:\+|00(?=\d{1,3}[ .\-/(]))[1-9](?:[ .\-/()]{0,2}\d){6,14}(?![\w]|[.\-]\d)")
    column_names = ("phone", "telephone", "tel", "mobile", "cell", "cellphone", "fax", "msisdn", "电话", "手机", "联系方式", "传真")

    def holds(self, candidate: str) -> bool:
        """The country code is one that is assigned."""
        digits = re.sub(r"\D", "", candidate)
        digits = digits[2:] if not candidate.startswith("+") else digits
        return 8 <= len(digits) <= 15 and (digits[0] in "17" or any(code.match(digits) for code in (_TWO, _THREE)))
