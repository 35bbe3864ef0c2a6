"""What columns are called: names that say that a column identifies persons, or that others may know it of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

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


def named_as(column: str, names: Iterable[str]) -> str | None:
    """The first of `names` that a column's name has among its words, or as two of them in a row; of
    Chinese ones, as a part."""
    words = re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z\d])(?=[A-Z])", " ", column).lower())
    known = set(words)
    for pair in pairwise(words):
        known |= {"".join(pair), " ".join(pair)}
    return next((name for name in names if name in known or (not name.isascii() and name in column)), None)
