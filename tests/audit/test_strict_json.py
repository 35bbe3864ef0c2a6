"""Of what is read there is one reading only."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.strict_json import DEEPEST, LONGEST, parse_strictly
from classifier.errors import IntegrityError

FUZZ = pytest.mark.parametrize("examples", [500, pytest.param(10_000, marks=pytest.mark.slow)])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not strict JSON"),
        (b"{} {}", "not strict JSON: Extra data"),
        (b"{}x", "not strict JSON: Extra data"),
        (b"{}\0", "not strict JSON: Extra data"),
        (b'{"a":1,"a":1}', "a key stands twice"),
        (b'{"a":{"b":1,"\\u0062":2}}', "a key stands twice"),
        (b"[NaN]", "must be finite"),
        (b"[Infinity]", "must be finite"),
        (b"[-Infinity]", "must be finite"),
        (b"[1e999]", "must be finite"),
        (b"[-1e999]", "must be finite"),
        (b'["\\ud800"]', "not strict JSON"),
        (b'{"\\udc00":1}', "not strict JSON"),
        (b'["\xff"]', "not strict JSON"),
        (b'["\xed\xa0\x80"]', "not strict JSON"),
        (b"\xef\xbb\xbf{}", "not strict JSON"),
        ('{"a":1}'.encode("utf-16"), "not strict JSON"),
        (b"{'a':1}", "not strict JSON"),
        (b"[1,]", "not strict JSON"),
        (b"[01]", "not strict JSON"),
        (b"[" + b"1" * 5000 + b"]", "not strict JSON"),
        (b'["\n"]', "not strict JSON"),
        (b"[" * DEEPEST + b"[]" + b"]" * DEEPEST, "nested deeper"),
        (b"[" * 100_000, "nested deeper|not strict JSON"),
        (b'{"a":' * 100_000, "nested deeper|not strict JSON"),
        (b" " * (LONGEST + 1), "allowed are"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_parsers_read_differently_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(IntegrityError, match=f"^the file .*({problem})"):
        parse_strictly(content, "the file")


def test_the_limits_themselves_are_taken() -> None:
    assert parse_strictly(b'"' + b"x" * (LONGEST - 2) + b'"', "it") == "x" * (LONGEST - 2)
    parse_strictly(b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1), "it")
    assert parse_strictly('{"é": "\\ud83d\\ude00"}'.encode(), "it") == {"é": "😀"}


@FUZZ
def test_whatever_is_taken_is_what_every_reader_reads(examples: int) -> None:
    pieces = st.sampled_from(
        [b"{", b"}", b"[", b"]", b'"a"', b'"b"', b":", b",", b"1", b"1e9", b"null", b"NaN", b"\\", b'"', b"\xff", b" "]
    )

    @settings(max_examples=examples, deadline=None)
    @given(st.binary(max_size=60) | st.lists(pieces, max_size=14).map(b"".join))
    def law(content: bytes) -> None:
        try:
            value = parse_strictly(content, "it")
        except IntegrityError:
            return
        first: dict[str, Any] = json.loads(content, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
        assert value == json.loads(content) == first

    law()
