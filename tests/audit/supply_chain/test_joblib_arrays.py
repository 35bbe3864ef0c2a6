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


OPENED = b"ctorch.storage\n_load_from_bytes\nB" + (len(CALL) + 1).to_bytes(4, "little") + CALL + b".\x85R"


def test_listed_names_in_the_bytes_of_an_array_count_for_those_who_open_it_with_pickle(rules: Rules) -> None:
    content = OPENED + b"."
    shape = b"K" + bytes([len(content)]) + b"\x85"
    assert "pickle.global" in rules(wrapper(BYTE, shape=shape) + content + b".", "m.joblib")
    kept = b"](ctorch.storage\n_load_from_bytes\ne."
    assert "pickle.call" in rules(wrapper(BYTE, shape=b"K" + bytes([len(kept)]) + b"\x85") + kept + b".", "m.joblib")


@pytest.mark.parametrize("package", [b"sklearn.externals", b"matplotlib", b"IPython", b"somebody.package"])
def test_a_name_of_any_package_in_the_bytes_of_an_array_counts(package: bytes, rules: Rules) -> None:
    content = b"0c" + package + b"\nrun\n)R."
    shape = b"K" + bytes([len(content)]) + b"\x85"
    assert "pickle.global" in rules(wrapper(BYTE, shape=shape) + content + b".", "m.joblib")


def test_a_name_that_could_be_there_by_chance_hides_nothing_behind_it(rules: Rules) -> None:
    content = b"0ctorch\nmean\n0" + CALL + b"."
    shape = b"K" + bytes([len(content)]) + b"\x85"
    assert "pickle.global" in rules(wrapper(BYTE, shape=shape) + content + b".", "m.joblib")


@pytest.mark.parametrize("key", [b"read", b"read_array", b"__class__", b"x"])
def test_a_description_of_more_than_an_array_is_grave(key: bytes, rules: Rules) -> None:
    """joblib asks the description itself to read: it may not bring a reader of its own."""
    described = wrapper(BYTE)
    added = described[:-2] + b"X" + len(key).to_bytes(4, "little") + key + b"cbuiltins\nint\n" + b"ub"
    assert "pickle.call" in rules(added + b"\xff" * 4 + b".", "m.joblib")


def test_a_description_whose_keys_cannot_be_told_is_grave(rules: Rules) -> None:
    """A text of numpy is equal to one of Python, and overwrites its entry."""
    scalar = b"cnumpy._core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\0\0\0U5\x89\x88\x87RC\x14" + "shape".encode("utf-32-le") + b"\x86R"
    assert "pickle.call" in rules(wrapper(BYTE)[:-2] + scalar + b"K\x00\x85ub" + b"\xff" * 4 + b".", "m.joblib")


def test_arrays_of_objects_beside_any_texts_raise_no_alarm(rules: Rules) -> None:
    """Read by pickle itself, the pickle in an array of objects takes texts of the file around it for modules."""
    objects = [np.array([np.float32(1), "x", None], object), np.array([np.arange(3), {"a": np.ones(2)}], object)]
    for count in range(12):
        words = dict.fromkeys(
            ["os", "time", "columns", "numpy", "a", "version", "x1", "date", "model", "code", "y", "z"][:count], np.float64(2)
        )
        for array in objects:
            assert rules(dumped({**words, "array": array, "last": [1.5]}), "m.joblib") == set()
