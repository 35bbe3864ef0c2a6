"""Arrays between the opcodes: where joblib goes on reading, the simulation goes on, or says that it cannot tell."""

from __future__ import annotations

import io
from collections.abc import Callable

import joblib
import numpy as np
import pytest

Rules = Callable[..., set[str]]
CALL = b"cposix\nsystem\n(S'true'\ntR"


def dumped(value: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer)
    return buffer.getvalue()


def wrapper(dtype: bytes, *, shape: bytes = b"K\x04\x85", align: bytes = b"N") -> bytes:
    """A description of an array in protocol 2, without the array."""
    entries = {b"subclass": b"cnumpy\nndarray\n", b"shape": shape, b"order": b"X\x01\0\0\0C", b"dtype": dtype, b"allow_mmap": b"\x89"}
    entries[b"numpy_array_alignment_bytes"] = align
    state = b"}(" + b"".join(b"X" + len(name).to_bytes(4, "little") + name + value for name, value in entries.items()) + b"u"
    return b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81q\x00" + state + b"b"


BYTE = b"cnumpy\ndtype\nX\x02\0\0\0u1\x89\x88\x87R"


def test_a_call_behind_an_array_is_found(rules: Rules) -> None:
    assert rules(wrapper(BYTE) + b"\xff\xff\xff\xff" + b".", "m.joblib") == set()
    assert rules(wrapper(BYTE) + b"\xff\xff\xff\xff" + b"0" + CALL + b".", "m.joblib") == {"pickle.global"}


def test_a_call_in_the_bytes_of_an_array_is_found_for_those_who_open_it_with_pickle(rules: Rules) -> None:
    content = b"0" + CALL + b"."
    shape = b"K" + bytes([len(content)]) + b"\x85"
    assert "pickle.global" in rules(wrapper(BYTE, shape=shape) + content + b".", "m.joblib")


def test_a_padding_is_passed_over_as_joblib_does(rules: Rules) -> None:
    for align in (b"K\x10", b"X\x01\0\0\0x"):
        assert rules(wrapper(BYTE, align=align) + b"\x02\xff\xff" + b"\xff" * 4 + b".", "m.joblib") == set()
    assert "pickle.malformed" in rules(wrapper(BYTE, align=b"K\x10") + b"\x09" + b"\xff" * 4 + b".", "m.joblib")


@pytest.mark.parametrize(
    "content",
    [
        # numpy takes the size of an item from the state, whatever the code says.
        wrapper(
            b"cnumpy\ndtype\nX\x02\0\0\0V1\x89\x88\x87R(K\x03X\x01\0\0\0|NNNM\xe8\x03K\x01K\x00tb"
        ) + b"\xff" * 4 + b"." + b"\xff" * 3995 + b"0" + CALL + b".",
        # joblib counts in 64 bits.
        wrapper(BYTE, shape=b"\x8a\x09" + (1 << 64).to_bytes(9, "little") + b"\x85") + b"0" + CALL + b".",
        # A description that changes after its array was read.
        wrapper(BYTE) + b"\xff\xff\xff\xff" + b"h\x00}b" + b"0" + CALL + b".",
        wrapper(b"cnumpy\ndtype\nX\x01\0\0\0f\x89\x88\x87R") + b"\xff" * 16 + b"0" + CALL + b".",
        wrapper(BYTE, shape=b"]") + b"0" + CALL + b".",
    ],
    ids=["size", "overflow", "twice", "code", "shape"],
)  # fmt: skip
def test_where_an_array_ends_that_cannot_be_told_is_grave(content: bytes, rules: Rules) -> None:
    assert rules(content, "m.joblib") & {"pickle.malformed", "pickle.global"}


def test_an_array_of_objects_between_opcodes_is_a_pickle(rules: Rules) -> None:
    plain = dumped({"a": np.array([None, "x"], object), "b": 1})
    assert rules(plain, "m.joblib") == set()
    place = plain.index(b"\x80\x05")
    assert "pickle.global" in rules(plain[:place] + CALL + b".", "m.joblib")


def test_an_array_inside_a_frame_is_grave(rules: Rules) -> None:
    """Python's unpickler reads a frame ahead, so that the bytes of the array lie behind it, and not where they seem to."""
    program = wrapper(BYTE)[2:] + b"\xff" * 4 + b"."
    framed = b"\x80\x04\x95" + len(program).to_bytes(8, "little") + program
    assert "pickle.malformed" in rules(framed + b"\xff" * 4, "m.joblib")
