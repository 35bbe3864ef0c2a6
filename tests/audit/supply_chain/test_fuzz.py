"""Whatever bytes come in: findings, and never an exception, in bounded time and memory. Mutations start from files that pass."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from audit.supply_chain.look import Budget, Journal, Look
from audit.supply_chain.looking import look_into
from audit.supply_chain.source import Source

EXAMPLES = [500, pytest.param(10_000, marks=pytest.mark.slow)]


def make_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}, 2))
        archive.writestr("archive/data/0", bytes(16))
        archive.writestr("archive/b", b"text" * 30, zipfile.ZIP_DEFLATED)
        archive.writestr("archive/c", b"text" * 30, zipfile.ZIP_LZMA)
    return buffer.getvalue()


def make_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("é" * 120)
        member.size = 20
        archive.addfile(member, io.BytesIO(bytes(20)))
    return buffer.getvalue()


def make_onnx() -> bytes:
    tensor = numpy_helper.from_array(np.ones((2, 2), np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [], [], [tensor])
    value = helper.make_tensor("v", TensorProto.DOUBLE, [2], [1.0, 2.0])
    graph.node.append(helper.make_node("Constant", [], ["c"], value=value))
    content: bytes = helper.make_model(graph).SerializeToString()
    return content


def make_array(*, objects: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([None, {"a": 1}], object) if objects else np.arange(4.0), allow_pickle=True)
    return buffer.getvalue()


def make_gguf() -> bytes:
    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    entries = text(b"general.name") + struct.pack("<I", 8) + text(b"m") + text(b"t") + struct.pack("<IIQ", 9, 8, 1) + text(b"a")
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + entries + text(b"w") + struct.pack("<IQIQ", 1, 4, 0, 0) + bytes(80)


SEEDS: dict[str, bytes] = {
    "m.pkl": pickle.dumps({"a": np.arange(3), "b": ["x", (1, 2.5)]}),
    "old.pkl": pickle.dumps({"a": np.arange(3), "b": ["x", (1, 2.5)]}, 0),
    "m.pt": make_zip(),
    "m.tar": make_tar(),
    "m.gz": gzip.compress(pickle.dumps([1, 2])),
    "m.npy": make_array(),
    "o.npy": make_array(objects=True),
    "m.safetensors": save({"w": np.ones(3, np.float32)}),
    "m.onnx": make_onnx(),
    "m.gguf": make_gguf(),
    "m.h5": b"\x89HDF\r\n\x1a\n" + b'{"class_name": "Dense", "module": "keras.layers"}',
    "m.json": json.dumps(
        {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense"}]}, "chat_template": "{{ x }}"}
    ).encode(),
    "m": b"text",
}


def look(content: bytes, name: str, path: Path | None = None) -> Journal:
    journal = Journal(name)
    look_into(Look(Source(io.BytesIO(content), 0, len(content)), name, journal, budget=Budget(bytes=1 << 24), path=path, into=look_into))
    return journal


def test_what_is_mutated_passes_unchanged() -> None:
    assert {name: look(content, name).findings for name, content in SEEDS.items() if look(content, name).findings} == {
        "o.npy": look(SEEDS["o.npy"], "o.npy").findings
    }


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file with bytes changed, taken out, repeated, or put in; or cut."""
    name = draw(st.sampled_from(sorted(SEEDS)))
    content = bytearray(SEEDS[name])
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.sampled_from(["flip", "number", "cut", "remove", "repeat", "insert"])):
            case "flip":
                content[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "number":
                size = draw(st.sampled_from([2, 4, 8]))
                value = draw(st.sampled_from([0, 1, 0x7F, 0xFF, (1 << 31) - 1, 1 << 31, (1 << 63) - 1, (1 << 64) - 1]))
                content[place : place + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
            case "cut":
                del content[place:]
            case "remove":
                del content[place : place + draw(st.integers(1, 40))]
            case "repeat":
                content[place:place] = content[place : place + draw(st.integers(1, 40))]
            case "insert":
                content[place:place] = draw(st.binary(min_size=1, max_size=20))
    return name, bytes(content)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_a_mutated_file_gives_findings_and_never_an_exception(examples: int, tmp_path: Path) -> None:
    @settings(max_examples=examples, deadline=2000)
    @given(mutations())
    def check(mutated: tuple[str, bytes]) -> None:
        name, content = mutated
        look(content, name, tmp_path / name)

    check()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_bytes_at_random_give_findings_and_never_an_exception(examples: int) -> None:
    starts = st.sampled_from(
        [b"", *(content[:12] for content in SEEDS.values()), b"PK\x05\x06", b"\x5d\x00\x00", b"x\x9c", b"\x1f\x8b\x08"]
    )

    @settings(max_examples=examples, deadline=2000)
    @given(starts, st.binary(max_size=400), st.sampled_from(sorted(SEEDS)))
    def check(start: bytes, content: bytes, name: str) -> None:
        look(start + content, name)

    check()


@pytest.mark.parametrize(
    "bomb",
    [
        lambda: b"\x80\x02" + b"(" * 50_000 + b".",
        lambda: b"\x80\x02N" + b"\x85" * 50_000 + b".",
        lambda: b"[" * 500_000,
        lambda: b'{"a":' * 1_000_000,
        lambda: struct.pack("<Q", 1_000_000) + b"{" + b'"a":[' * 199_990 + b" " * 50,
        lambda: b"\x3a\x80\x80\x80\x01" * 100_000,
        lambda: b"I" * 500_000,
        lambda: b"\x80\x04" + b"\x8c\x01a\x94" * 50_000 + b".",
    ],
    ids=["marks", "tuples", "brackets", "objects", "header", "fields", "line", "memo"],
)
def test_a_bomb_of_nesting_ends(bomb: Callable[[], bytes]) -> None:
    content = bomb()
    for name in ("m.pkl", "m.json", "m.onnx", "m.safetensors"):
        look(content, name)
