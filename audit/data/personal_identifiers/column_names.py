"""What columns are called: names that say that a column identifies persons, or that others may know it of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

# With zeros before it, as in "030.1234567", a number is a code.
_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d*)?(?:\.\d*)?(?:e[+-]?\d+)?")
_SMALL = re.compile(r"-?\d{1,3}")

# No telephone, card, account or passport number and no address of the Internet is shorter.
_SHORTEST = 7

# Who a person is, beyond the kinds that have a form of their own.
IDENTIFYING = {
    "names": (
        "name", "firstname", "lastname", "surname", "forename", "givenname", "familyname",
        "fullname", "nickname", "username", "login", "maiden",
        "姓名", "名字", "姓氏", "昵称", "用户名",
    ),
    "numbers of persons": (
        "id", "uid", "uuid", "guid", "userid", "customerid", "clientid", "patientid", "personid",
        "employeeid", "studentid", "memberid", "ssn",
        "nino", "taxid", "mrn", "licence", "license", "编号", "工号", "学号", "客户号", "社保号",
    ),
    "addresses": ("address", "street", "addr", "latitude", "longitude", "lat", "lon", "lng", "gps",
    "地址", "住址", "经度", "纬度"),
    "devices": ("imei", "imsi", "mac", "device", "deviceid", "cookie", "plate", "vin", "设备号", "车牌"),
}  # fmt: skip
QUASI = (
    "age", "birth", "birthday", "birthdate", "dob", "born", "sex", "gender", "zip", "zipcode",
    "postcode", "postal", "plz", "city", "town", "county",
    "district", "province", "state", "region", "country", "nationality", "citizenship", "foreign",
    "race", "ethnicity", "ethnic", "religion",
    "marital", "married", "education", "degree", "occupation", "job", "profession", "employer",
    "household", "children", "language", "height",
    "weight", "admission", "discharge", "年龄", "出生", "生日", "性别", "邮编", "城市", "省", "区", "国籍", "民族",
    "婚姻", "学历", "职业", "籍贯",
)  # fmt: skip


def contradicted(noun: str, word: str, column: str, values: Sequence[str]) -> bool:
    """Whether cells cannot be what a column's name says.

    Numbers with fractions are nothing of it but coordinates, and what has a form of its own is as long as that. Whole numbers
    below 1,000 count something, unless the name ends in the word, as ``customer_id`` does and ``id_checks`` does not.

    Args:
        noun: A sort of `IDENTIFYING`, or the noun of a kind.
        word: The word of the name that says so.
        column: The column's name.
        values: Its different values, at least one, without the empty one.
    """
    if any("." in value for value in values) and all(_NUMBER.fullmatch(value) for value in values):
        return noun != "addresses"
    if noun not in IDENTIFYING:
        return median(map(len, values)) < _SHORTEST
    numbered = noun == "numbers of persons" and re.sub(r"[\W\d_]", "", column.lower()).endswith(word)
    return not numbered and all(_SMALL.fullmatch(value) for value in values)


def named_as(column: str, names: Iterable[str]) -> str | None:
    """The first of `names` that a column's name has among its words, or as two of them in a row; of
    Chinese ones, as a part."""
    words = re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z\d])(?=[A-Z])", " ", column).lower())
    known = set(words)
    for pair in pairwise(words):
        known |= {"".join(pair), " ".join(pair)}
    return next((name for name in names if name in known or (not name.isascii() and name in column)), None)
