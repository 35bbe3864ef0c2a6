"""The machine against the interpreter: whatever CPython's unpicklers would import of programs made at random, it has reported."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.supply_chain.pickles import listed, machine
from audit.supply_chain.pickles.machine import Machine
from audit.supply_chain.pickles.stream import Stream
from audit.supply_chain.pickles.values import Global
from audit.supply_chain.source import Source

PIECES = [
    *(bytes([op]) for op in b"(.012Nt)]}ldeasuRob\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94Q"), b"K\x01", b"M\x01\x00",
    b"J\x01\x00\x00\x00", b"I1\n", b"I01\n", b"L5L\n", b"F1.5\n", b"G\x00\x00\x00\x00\x00\x00\x00\x00", b"\x8a\x01\x05",
    b"X\x02\x00\x00\x00os", b"\x8c\x06system", b"\x8c\x04evil", b"U\x02os", b"S'os'\n", b"Vsystem\n", b"V\\u006fs\n", b"cos\nsystem\n",
    b"cevil\nf\n", b"ccollections\nOrderedDict\n", b"ctorch\ndevice\n", b"ievil\nf\n", b"ios\nsystem\n", b"q\x00", b"q\x01", b"q\x05",
    b"r\x09\x00\x00\x00", b"p0\n", b"p3\n", b"h\x00", b"h\x01", b"h\x05", b"j\x09\x00\x00\x00", b"g0\n", b"g3\n", b"P1\n", b"C\x02os",
    b"B\x01\x00\x00\x00x", b"\x80\x02", b"\x80\x04", b"\x80\x05", b"\x96\x01\x00\x00\x00\x00\x00\x00\x00x",
    b"\x8d\x02\x00\x00\x00\x00\x00\x00\x00os", b"\x82\x01",
]  # fmt: skip


class Stub:
    """Takes part in anything and does nothing."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __new__(cls, *arguments: object, **named: object) -> Stub:
        return object.__new__(cls)

    def __call__(self, *arguments: object) -> Stub:
        return self

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, item: object) -> None:
        pass

    extend = add = append


def imported(kind: Any, program: bytes) -> set[Global]:
    """What an unpickler asks for, while nothing is imported."""
    asked: set[Global] = set()

    class Recorder(kind):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> type[Stub]:
            asked.add(Global(module, name))
            return Stub

        def persistent_load(self, identifier: object) -> Stub:
            return Stub()

    with contextlib.suppress(Exception):  # a program at random goes wrong somewhere
        Recorder(io.BytesIO(program)).load()
    return asked


@pytest.mark.parametrize("examples", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_whatever_the_interpreter_would_import_is_reported(examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=40))
    def check(pieces: list[bytes]) -> None:
        program = b"".join(pieces)
        outcome = Machine(Stream(Source(io.BytesIO(program), 0, len(program)))).run()
        reported = {note.reason for note in outcome.notes}
        for kind in (pickle._Unpickler, pickle.Unpickler):  # type: ignore[attr-defined]
            for found in imported(kind, program):
                if listed.entry(found) is None:
                    assert f"it imports {found}, which is on no list" in reported, program

    check()


def test_a_giant_claim_allocates_nothing() -> None:
    import tracemalloc

    claims = [b"\x80\x05\x96", b"\x80\x05\x8e", b"\x80\x05\x8d"]
    programs = [claim + struct.pack("<Q", 1 << 62) + b"." for claim in claims]
    programs += [b"\x80\x02N" + b"r\xff\xff\xff\xff" + b".", b"\x80\x02\x8b\xff\xff\xff\x7f.", b"I" + b"9" * 1_000_000 + b"\n."]
    tracemalloc.start()
    for program in programs:
        Machine(Stream(Source(io.BytesIO(program), 0, len(program)))).run()
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_names_are_reported_when_there_is_no_memory_left_to_keep_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that no name on the list has are forgotten then, and an import by one of them is unresolved."""
    monkeypatch.setattr(machine, "MOST_KEPT", 1000)
    filling = b"".join(b"\x8c\x08%08d\x940" % i for i in range(100))
    for name, rules in ((b"numpy\x8c\x07ndarray", set()), (b"posix\x8c\x06system", {"pickle.unresolved"})):
        program = b"\x80\x04" + filling + b"\x8c\x05" + name + b"\x93."
        outcome = Machine(Stream(Source(io.BytesIO(program), 0, len(program)))).run()
        assert {note.rule for note in outcome.notes} == rules


def test_a_stack_beyond_the_limit_is_a_finding() -> None:
    program = b"\x80\x04" + b"N" * 2_100_000 + b"."
    outcome = Machine(Stream(Source(io.BytesIO(program), 0, len(program)))).run()
    assert [note.rule for note in outcome.notes] == ["pickle.limit"]
