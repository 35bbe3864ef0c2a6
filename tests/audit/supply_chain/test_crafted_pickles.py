"""Crafted pickles: every way to import or call something is found, under every name and inside everything. None is ever loaded."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audit.supply_chain import Scan

Scanned = Callable[..., Scan]
SYSTEM = b"cposix\nsystem\n"
DIRECT = SYSTEM + b"(S'true'\ntR."
LIST_OF_ONE = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R."


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def tuple_of(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


# What each must be found as, and the pickle.
CRAFTED = {
    "direct call": ("pickle.global", DIRECT),
    "import alone": ("pickle.global", SYSTEM + b"."),
    "stack global": ("pickle.global", LIST_OF_ONE),
    "names out of the memo, in another order": (
        "pickle.global",
        b"\x80\x04" + text("system") + b"\x940" + text("posix") + b"\x94h\x00\x93" + text("true") + b"\x85R.",
    ),
    "memo overwritten by PUT": (
        "pickle.global",
        b"\x80\x04" + text("numpy") + b"q\x000" + text("posix") + b"q\x000h\x00" + text("system") + b"\x93.",
    ),
    "MEMOIZE after a PUT far away": (
        "pickle.global",
        b"\x80\x04" + text("posix") + b"r\x10\x27\x00\x000" + text("system") + b"\x940j\x10\x27\x00\x00h\x01\x93.",
    ),
    "name in another string opcode": ("pickle.global", b"\x80\x04Vposix\nU\x06system\x93."),
    "name behind escapes": ("pickle.global", b"\x80\x04V\\u0070osix\nS'\\x73ystem'\n\x93."),
    "name twice on the stack by DUP": ("pickle.global", b"\x80\x04" + text("code") + b"2\x93."),
    "POP and MARK around the name": ("pickle.global", b"\x80\x04(" + text("x") + b"1" + text("posix") + b"N0" + text("system") + b"\x93."),
    "POP takes a mark away": ("pickle.global", b"\x80\x04" + text("posix") + b"(0" + text("system") + b"\x93."),
    "INST": ("pickle.global", b"(S'true'\niposix\nsystem\n."),
    "OBJ": ("pickle.global", b"(" + SYSTEM + b"S'true'\no."),
    "NEWOBJ": ("pickle.global", b"\x80\x02csubprocess\nPopen\nX\x04\x00\x00\x00true\x85\x81."),
    "NEWOBJ_EX": ("pickle.global", b"\x80\x04csubprocess\nPopen\n)}" + text("args") + text("true") + b"s\x92."),
    "names of Python 2": ("pickle.global", b"c__builtin__\neval\n(S'1'\ntR."),
    "names of Python 2 in protocol 4": ("pickle.global", b"\x80\x04c__builtin__\nset\n."),
    "BUILD on a class": ("pickle.build", b"ccollections\nOrderedDict\n}S'x'\nNsb."),
    "BUILD that sets attributes one by one": ("pickle.call", b"\x80\x02ccollections\nOrderedDict\n)RN}X\x01\x00\x00\x00xNs\x86b."),
    "BUILD on a value": ("pickle.build", b"\x80\x02ctorch\nSize\n))\x86R}b."),
    "extension registry, one byte": ("pickle.unresolved", b"\x80\x02\x82\x01)R."),
    "extension registry, two bytes": ("pickle.unresolved", b"\x80\x02\x83\x01\x02)R."),
    "extension registry, four bytes": ("pickle.unresolved", b"\x80\x02\x84\x01\x02\x03\x04)R."),
    "persistent id in a line": ("pickle.unresolved", b"\x80\x02Pfile:///x\n."),
    "persistent id of another kind": ("pickle.unresolved", b"\x80\x02X\x01\x00\x00\x00xQ."),
    "getattr": ("pickle.global", b"cbuiltins\ngetattr\n(cbuiltins\nobject\nS'__subclasses__'\ntR)R."),
    "dotted name of protocol 4": ("pickle.global", b"\x80\x04" + text("collections") + text("OrderedDict.fromkeys.__class__") + b"\x93."),
    "a chain too long for a name": ("pickle.global", b"\x80\x04" + text("os") + b"X\x00\x04\x00\x00" + b"path.os." * 128 + b"\x93)R."),
    "operator": ("pickle.global", b"coperator\nattrgetter\n(S'x'\ntR."),
    "partial": ("pickle.global", b"cfunctools\npartial\n."),
    "a submodule of a listed package": ("pickle.global", b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR."),
    "a distribution of scipy, whose state is run": ("pickle.global", b"cscipy.stats._continuous_distns\nnorm_gen\n."),
    "a listed value called": ("pickle.call", b"\x80\x02cnumpy\nndarray\nK\x09\x85R."),
    "an estimator called with arguments": ("pickle.call", b"\x80\x02csklearn.pipeline\nPipeline\nX\x01\x00\x00\x00x\x85R."),
    "an array of a size of its sender's choice": (
        "pickle.call",
        b"\x80\x02cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x8a\x05\x00\x00\x00\x00\x10\x85C\x01b\x87R.",
    ),
    "a generator made of a class": ("pickle.call", b"\x80\x02cnumpy.random._pickle\n__bit_generator_ctor\ncbuiltins\nobject\n\x85R."),
    "torch calls what it is told": (
        "pickle.call",
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n" + tuple_of(b"ctorch\ndevice\n", b"ctorch\nTensor\n", b")", b"}") + b"R.",
    ),
    "torch opens what it is told": ("pickle.call", b"\x80\x02ctorch.storage\n_load_from_bytes\nctorch\ndevice\n)R\x85R."),
    "torch opens bytes that are a pickle": (
        "pickle.global",
        b"\x80\x03ctorch.storage\n_load_from_bytes\nC" + bytes([len(DIRECT)]) + DIRECT + b"\x85R.",
    ),
    "a function kept for later": (
        "pickle.call",
        b"\x80\x02csklearn.preprocessing._function_transformer\nFunctionTransformer\n)\x81}"
        b"X\x04\x00\x00\x00funcctorch.storage\n_load_from_bytes\nsb.",
    ),
    "a factory": ("pickle.call", b"\x80\x02ccollections\ndefaultdict\nctorch\ndevice\n\x85R."),
    "another encoding": ("pickle.call", b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00xX\x03\x00\x00\x00zip\x86R."),
    "an object of a class that is not listed for it": (
        "pickle.call",
        b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR.",
    ),
    "bytes of a length": ("pickle.call", b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R."),
    "it calls what a call gave": ("pickle.unresolved", b"\x80\x02ctorch\ndevice\nX\x03\x00\x00\x00cpu\x85R)R."),
    "it goes on after it was wrong": ("pickle.global", DIRECT[:-1] + b"\xff\xff"),
    "stack underflow behind the call": ("pickle.global", DIRECT[:-1] + b"000."),
    "stack underflow alone": ("pickle.malformed", b"\x80\x020."),
    "an opcode that is none": ("pickle.malformed", b"\x80\x02N\xfe."),
    "a protocol of the future": ("pickle.malformed", b"\x80\x09N."),
    "no STOP": ("pickle.malformed", b"\x80\x02N"),
    "a frame that is longer than the file": ("pickle.size", b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N."),
    "STOP inside a frame": ("pickle.malformed", b"\x80\x04\x95" + struct.pack("<Q", 10) + b"N.NNNNNNNN"),
    "bytes that are longer than the file": ("pickle.malformed", b"\x80\x05\x96" + struct.pack("<Q", 1 << 60) + b"."),
    "text that is longer than the file": ("pickle.malformed", b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"."),
    "a second pickle behind the first": ("pickle.global", pickle.dumps([1]) + DIRECT),
    "a call behind rubbish that no pickle is": ("pickle.trailing", pickle.dumps([1]) + b"\xff" + DIRECT),
    "carriage returns in names": ("pickle.global", b"cposix\r\nsystem\r\n(S'true'\ntR."),
    "a name that is no text": ("pickle.unresolved", b"c\xff\xfe\nsystem\n)R."),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_pickle_is_found(name: str, scanned: Scanned) -> None:
    rule, content = CRAFTED[name]
    scan = scanned(content)
    assert rule in {finding.rule for finding in scan.findings}, scan.findings
    assert scan.at_least("high") or rule in ("pickle.size", "pickle.trailing")


@pytest.mark.parametrize("suffix", ["", ".safetensors", ".npy", ".json", ".txt", ".bin", ".h5", ".onnx", ".gguf", ".png", ".dat"])
def test_a_pickle_is_found_under_every_name(suffix: str, scanned: Scanned) -> None:
    for content in (DIRECT, LIST_OF_ONE, CRAFTED["INST"][1], CRAFTED["OBJ"][1]):
        assert "pickle.global" in {finding.rule for finding in scanned(content, f"weights{suffix}").at_least("high")}


def in_zip(content: bytes, name: str = "archive/data.pkl", method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def in_tar(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("storages")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def in_array(content: bytes) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([None, 1], object), allow_pickle=True)
    return buffer.getvalue()[:128] + content


CONTAINERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "torch archive": ("m.pt", in_zip),
    "torch archive with its pickle renamed": ("m.pt", lambda c: in_zip(c, "archive/weights")),
    "deflated zip": ("m.zip", lambda c: in_zip(c, "a", zipfile.ZIP_DEFLATED)),
    "bzip2 zip": ("m.zip", lambda c: in_zip(c, "a", zipfile.ZIP_BZIP2)),
    "lzma zip": ("m.zip", lambda c: in_zip(c, "a", zipfile.ZIP_LZMA)),
    "zip in zip in zip": ("m.zip", lambda c: in_zip(in_zip(in_zip(c), "b.zip", zipfile.ZIP_DEFLATED), "a.png")),
    "tar": ("m.tar", in_tar),
    "tar.gz": ("m.tar.gz", lambda c: gzip.compress(in_tar(c))),
    "gzip": ("m.pkl.gz", gzip.compress),
    "bzip2": ("m.joblib", bz2.compress),
    "xz": ("m.joblib", lzma.compress),
    "lzma": ("m.joblib", lambda c: lzma.compress(c, lzma.FORMAT_ALONE)),
    "zlib": ("m.joblib", zlib.compress),
    "array of objects": ("m.npy", in_array),
    "array of objects in npz": ("m.npz", lambda c: in_zip(in_array(c), "a.npy", zipfile.ZIP_DEFLATED)),
    "array of objects in npz under another name": ("m.npz", lambda c: in_zip(in_array(c), "a.txt")),
    "behind another stream of gzip": ("m.gz", lambda c: gzip.compress(c[:5]) + gzip.compress(c[5:])),
    "zip behind a picture": ("m.png", lambda c: b"\x89PNG\r\n\x1a\n" + bytes(40) + in_zip(c)),
    "zip behind safetensors": ("m.safetensors", lambda c: struct.pack("<Q", 2) + b"{}" + in_zip(c)),
    "pickle before a zip": ("m.pt", lambda c: c + in_zip(b"", "a")),
    "GGUF that is a pickle, too": ("m.gguf", lambda c: b"GGUF\x03\x00\x00\x00\x00" + b"0" + c),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("content", [DIRECT, LIST_OF_ONE, CRAFTED["INST"][1], CRAFTED["names out of the memo, in another order"][1]])
def test_a_pickle_is_found_inside_everything(container: str, content: bytes, scanned: Scanned) -> None:
    name, pack = CONTAINERS[container]
    assert "pickle.global" in {finding.rule for finding in scanned(pack(content), name).at_least("high")}


def test_a_finding_says_where_it_is(scanned: Scanned) -> None:
    (finding,) = [f for f in scanned(in_zip(LIST_OF_ONE), "m.pt").findings if f.rule == "pickle.global"]
    assert (finding.file, finding.member, finding.offset) == ("m.pt", "archive/data.pkl", LIST_OF_ONE.index(b"\x93"))
    assert finding.reason == "it imports posix.system, which is on no list"
    assert finding.position == f"m.pt!archive/data.pkl, byte {finding.offset}"


def test_nothing_that_is_scanned_runs(tmp_path: Path, scanned: Scanned) -> None:
    """The same pickle, loaded, makes a file; scanned, it makes none."""

    class Maker:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return open, (str(tmp_path / "made"), "w")

    scanned(pickle.dumps(Maker()))
    assert not (tmp_path / "made").exists()
    pickle.loads(pickle.dumps(Maker()))
    assert (tmp_path / "made").exists()
