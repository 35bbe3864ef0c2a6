"""International bank account numbers (ISO 13616; lengths of the SWIFT registry)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register
from audit.data.personal_identifiers.kinds._digits import mod_97

_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        33: "LC RU",
    }.items()
    for country in countries.split()
}


@register
@dataclass(frozen=True)
class Iban(Kind):
    """A country, two check digits and an account number as long as the country says, in one piece or in groups of four."""

    noun = "bank account numbers (IBAN)"
    evidence = "checksum"
    chance = 1 / 97
    pattern = re.compile(
        r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[A-Za-z0-9]{11,30}|(?: [A-Za-z0-9]{4}){2,7}(?: [A-Za-z0-9]{1,3})?)(?![A-Za-z0-9])",
        re.ASCII,
    )
    column_names = ("iban", "bankaccount", "account", "账号", "账户")

    def candidates(self, cell: str) -> list[str]:
        """The stretches that are as long as their country says. In groups of four, a word that follows may look like the last one."""
        found = []
        for each in super().candidates(cell):
            text = each.replace(" ", "").upper()
            length = _LENGTHS.get(text[:2], 0)
            if length and (len(text) == length or (" " in each and len(text) > length)):
                found.append(text[:length])
        return found

    def holds(self, candidate: str) -> bool:
        """With the country and the check digits at the end, the remainder by 97 is 1."""
        return mod_97(candidate[4:] + candidate[:4]) == 1
