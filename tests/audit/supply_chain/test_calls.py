"""The machine against the interpreter: whatever CPython's unpicklers would open, with which bytes, it has seen or refused."""

from __future__ import annotations

import contextlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.supply_chain.pickles.machine import Machine
from audit.supply_chain.pickles.stream import Stream
from audit.supply_chain.source import Source

LOAD = b"ctorch.storage\n_load_from_bytes\n"
OBJECT = b"csklearn.preprocessing._function_transformer\nFunctionTransformer\n)\x81"
ORDERED = b"ccollections\nOrderedDict\n)R"
NAMES = ("append", "extend", "add", "__setstate__", "x")


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


OBJECTS = [OBJECT, ORDERED, LOAD, b"]", b"}", b"\x8f", b"cnumpy\nmemmap\n", b"\x96\x01\x00\x00\x00\x00\x00\x00\x00x"]
# What gives a dictionary of one entry, in each of the ways there are.
DICTIONARIES: list[Callable[[bytes, bytes], bytes]] = [
    lambda key, value: b"}" + key + value + b"s",
    lambda key, value: b"(" + key + value + b"d",
    lambda key, value: b"cbuiltins\ndict\n((" + key + value + b"ll\x85R",
    lambda key, value: b"cbuiltins\ndict\n(" + key + value + b"\x86\x91\x85R",
    lambda key, value: ORDERED + key + value + b"s",
]
STATES = [
    make(text(key), value) for make in DICTIONARIES for key in NAMES for value in (LOAD, b"cnumpy\nmean\n", b"cnumpy\nmemmap\n", b"h\x00")
]
# An item, and how it goes into what stands before it.
ITEMS = [item + end for item in (b"C\x03abc", b"\x96\x01\x00\x00\x00\x00\x00\x00\x00x", LOAD) for end in (b"a", b"b", b"\x85R", b"\x85b")]
ITEMS += [b"(" + item + end for item in (b"C\x03abc", b"K\x01", LOAD) for end in (b"e", b"\x90")]
NOISE = [*(bytes([op]) for op in b"(02N)]}ltb\x85\x86\x91\x94R"), b"h\x00", b"h\x01", b"q\x00", b"q\x01"]
PROGRAMS = st.tuples(
    st.sampled_from(OBJECTS),
    st.lists(
        st.one_of(st.sampled_from(STATES).map(lambda state: state + b"b"), st.sampled_from(ITEMS), st.sampled_from(NOISE)), max_size=6
    ),
).map(lambda parts: b"\x80\x05" + parts[0] + b"".join(parts[1]) + b".")


class Plain:
    """An object with attributes, as an estimator."""


def opened(kind: Any, program: bytes) -> list[tuple[object, ...]]:
    """The arguments of every call of what opens or maps something, while nothing is opened."""
    calls: list[tuple[object, ...]] = []

    def record(*arguments: object) -> None:
        calls.append(tuple(bytes(a) if isinstance(a, bytearray) else a for a in arguments))

    found = {"OrderedDict": OrderedDict, "dict": dict, "FunctionTransformer": Plain, "mean": max}

    class Recorder(kind):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> object:
            return found.get(name, record)

    with contextlib.suppress(Exception):  # a program at random goes wrong somewhere
        Recorder(io.BytesIO(program)).load()
    return calls


@pytest.mark.parametrize("examples", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_whatever_the_interpreter_would_open_was_looked_into_or_refused(examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(PROGRAMS)
    def check(program: bytes) -> None:
        outcome = Machine(Stream(Source(io.BytesIO(program), 0, len(program)))).run()
        seen = {(program[span.begin : span.begin + span.size],) for span in outcome.nested}
        for kind in (pickle._Unpickler, pickle.Unpickler):  # type: ignore[attr-defined]
            assert outcome.misused or set(opened(kind, program)) <= seen, program

    check()


def test_the_interpreter_calls_what_it_is_said_to() -> None:
    """Without this the law above would hold of nothing."""
    for program in (
        LOAD + b"C\x03abc\x85R.",
        ORDERED + b"cbuiltins\ndict\n((" + text("append") + LOAD + b"ll\x85RbC\x03abca.",
        OBJECT + b"}" + text("__setstate__") + LOAD + b"sbC\x03abcb.",
    ):
        for kind in (pickle._Unpickler, pickle.Unpickler):  # type: ignore[attr-defined]
            assert opened(kind, b"\x80\x05" + program) == [(b"abc",)]
