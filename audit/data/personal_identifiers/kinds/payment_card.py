"""Payment cards (ISO/IEC 7812-1): the ranges of the large schemes, and the Luhn check digit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register
from audit.data.personal_identifiers.kinds._digits import NO_FRACTION, luhn

# First and last prefix, and the lengths that are issued in the range.
_RANGES = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("3528", "3589", (16, 17, 18, 19)),  # JCB
    ("6011", "6011", (16, 19)),  # Discover
    ("644", "659", (16, 19)),
    ("300", "305", (14, 16, 19)),  # Diners Club
    ("36", "36", (14, 16, 19)),
    ("38", "39", (14, 16, 19)),
    ("2200", "2204", (16, 17, 18, 19)),  # Mir
)


@register
@dataclass(frozen=True)
class PaymentCard(Kind):
    """13 to 19 digits in a range of card numbers, in one piece or in groups; the last is the Luhn digit."""

    noun = "payment card numbers"
    evidence = "checksum"
    chance = 0.1
    pattern = re.compile(rf"(?<![\w+-]){NO_FRACTION}\d(?:[ -]?\d){{12,18}}(?!\w|[.\-]\d)", re.ASCII)
    column_names = ("card", "pan", "creditcard", "cardnumber", "银行卡", "信用卡", "卡号")

    def candidates(self, cell: str) -> list[str]:
        """The stretches of digits that lie in a range of card numbers and are as long as numbers there."""
        found = (re.sub(r"\D", "", each) for each in super().candidates(cell))
        return [digits for digits in found if _in_range(digits)]

    def holds(self, candidate: str) -> bool:
        """The last digit is the Luhn digit."""
        return luhn(candidate)


def _in_range(digits: str) -> bool:
    return any(len(digits) in lengths and low <= digits[: len(low)] <= high for low, high, lengths in _RANGES)
