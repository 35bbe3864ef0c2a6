"""Canonical JSON is that of RFC 8785: its published vectors, an ECMAScript engine, and properties."""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.vault.signing.canonical import encode_canonically

# RFC 8785, appendix B.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}
text = st.text(st.characters(exclude_categories=("Cs",)))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(("bits", "written"), NUMBERS.items())
def test_the_published_numbers_are_written_as_published(bits: str, written: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert encode_canonically(value).decode() == written


def test_the_published_example_is_written_as_published() -> None:
    # RFC 8785, sections 3.2.2 to 3.2.4.
    example = r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
    expected = (
        r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
    )
    assert encode_canonically(json.loads(example)) == expected.encode()


def test_keys_stand_in_the_order_of_their_utf_16_code_units() -> None:
    # RFC 8785, section 3.2.3: by code points, the face would come last.
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = json.loads(encode_canonically(dict.fromkeys(keys)))
    assert list(written) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@given(values)
def test_what_is_written_is_read_back_the_same_and_written_the_same(value: Any) -> None:
    written = encode_canonically(value)
    again = json.loads(written, parse_int=float)
    assert again == value
    assert encode_canonically(again) == written


@given(st.dictionaries(text, values, min_size=2, max_size=6))
def test_the_order_in_which_keys_were_given_changes_nothing(value: dict[str, Any]) -> None:
    assert encode_canonically(dict(reversed(value.items()))) == encode_canonically(value)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=200, max_size=400), st.lists(text, min_size=20, unique=True))
def test_an_ecmascript_engine_writes_the_same(bits: list[int], keys: list[str]) -> None:
    numbers = [value for (value,) in (struct.unpack(">d", bit.to_bytes(8)) for bit in bits) if math.isfinite(value)]
    ordered = {key: [] for key in keys}
    program = (
        "const {numbers, keys} = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "const bare = (hex) => Buffer.from(hex, 'hex').readDoubleBE(0);"
        "process.stdout.write(JSON.stringify(numbers.map(bare)) + '{' + keys.sort().map((k) => JSON.stringify(k) + ':[]').join(',') + '}')"
    )
    given = json.dumps({"numbers": [struct.pack(">d", value).hex() for value in numbers], "keys": keys})
    done = subprocess.run(["node", "-e", program], input=given.encode(), capture_output=True, check=True, timeout=60)
    assert encode_canonically(numbers) + encode_canonically(ordered) == done.stdout


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (math.nan, "must be finite"),
        (math.inf, "must be finite"),
        (-math.inf, "must be finite"),
        (2**53 + 1, "within 2\\*\\*53"),
        (-(2**53) - 1, "within 2\\*\\*53"),
        (10**400, "within 2\\*\\*53"),
        ("\ud800", "lone surrogate"),
        ({"\udfff": 1}, "lone surrogate"),
        ({1: 2}, "a key must be a string, got int"),
        (b"bytes", "must be JSON, got bytes"),
        ({1, 2}, "must be JSON, got set"),
        (1 + 2j, "must be JSON, got complex"),
    ],
    ids=ascii,
)
def test_what_readers_would_take_differently_is_not_written(value: Any, problem: str) -> None:
    for nested in (value, [value], {"a": [value]}):
        with pytest.raises(ValueError, match=problem):
            encode_canonically(nested)


def test_what_holds_itself_is_not_written() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nor hold itself"):
        encode_canonically(endless)
