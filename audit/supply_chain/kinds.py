"""Kinds of files: what each is by its content, and what its name claims."""

from __future__ import annotations

import lzma
import zlib

from audit.supply_chain.archives.packed import STREAMS
from audit.supply_chain.archives.tar_file import BLOCK, is_tar_header
from audit.supply_chain.formats import gguf_file, numpy_file
from audit.supply_chain.formats.onnx_file import is_onnx
from audit.supply_chain.formats.safetensors_file import is_safetensors
from audit.supply_chain.look import Look
from audit.supply_chain.source import Source

_HDF5 = b"\x89HDF\r\n\x1a\n"
_SEALED = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")
# What cannot be looked into without a library of its own.
_OPAQUE = {
    b"\x04\x22\x4d\x18": "lz4",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\xff\x06\x00\x00sNaPpY": "snappy",
    b"MSCF": "cab",
}
OPAQUE = frozenset(_OPAQUE.values())
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
# Names under which programs open pickles.
_PICKLE_NAMES = (".pkl", ".pickle", ".p", ".pk", ".joblib", ".jl", ".dill", ".cloudpickle", ".sav")
PICKLES = frozenset((*_PICKLE_NAMES, ".pt", ".pth", ".ckpt"))
_TORCH = frozenset({"torch (zip)", "torch (pickles)", "torchscript", "pickle", "tar"})
_PICKLED = frozenset({"pickle", "joblib", "torch (pickles)", "torch (zip)", *STREAMS, *OPAQUE})
_PLAIN = frozenset({"json", "other", "script"})
# What content a name may have; names that are not here claim nothing.
EXPECTED = {
    **dict.fromkeys((".pt", ".pth", ".ckpt"), _TORCH | {"torch program"}),
    ".pt2": frozenset({"torch program", "zip"}),
    **dict.fromkeys(_PICKLE_NAMES, _PICKLED),
    ".safetensors": frozenset({"safetensors"}),
    ".onnx": frozenset({"onnx"}),
    ".npy": frozenset({"numpy"}),
    ".npz": frozenset({"zip"}),
    ".keras": frozenset({"keras"}),
    ".skops": frozenset({"zip"}),
    ".gguf": frozenset({"gguf"}),
    ".h5": frozenset({"hdf5"}),
    ".hdf5": frozenset({"hdf5"}),
    ".age": frozenset({"sealed"}),
    ".zip": frozenset({"zip", "torch (zip)", "keras", "torch program", "torchscript"}),
    ".tar": frozenset({"tar"}),
    ".gz": frozenset({"gzip"}),
    ".tgz": frozenset({"gzip"}),
    ".bz2": frozenset({"bzip2"}),
    ".xz": frozenset({"xz"}),
    **dict.fromkeys((".json", ".txt", ".md", ".csv", ".yaml", ".yml", ".toml", ".png", ".jpg", ".jpeg"), _PLAIN),
}
# What runs, or may run, something when it is opened.
RUNS = frozenset({"pickle", "joblib", "torch (pickles)", "torch (zip)", "torchscript"})


def suffix_of(name: str) -> str:
    """The end of a name, by which programs choose how to open it."""
    stem = name.replace("\\", "/").rpartition("/")[2]
    return f".{stem.rpartition('.')[2].lower()}" if "." in stem else ""


def kind_of(source: Source) -> str | None:
    """What content begins like; ``None`` where nothing is known of it."""
    head = source.read_at(0, 16)
    if any(source.read_at(0, 40).startswith(mark) for mark in _SEALED):
        return "sealed"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"):
        return "zip"
    if head.startswith(numpy_file.MAGIC):
        return "numpy"
    if head.startswith(gguf_file.MAGIC):
        return "gguf"
    for table in (_OPAQUE, _PACKED):
        for mark, kind in table.items():
            if head.startswith(mark):
                return kind
    if _begins_hdf5(source):
        return "hdf5"
    if is_tar_header(source.read_at(0, BLOCK)):
        return "tar"
    if head[:1] == b"\x78" and head[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda") and _unpacks(source, "zlib"):
        return "zlib"
    if head[:3] == b"\x5d\x00\x00" and _unpacks(source, "lzma"):
        return "lzma"
    return None


def structured(look: Look) -> str | None:
    """What content is that no mark at its beginning tells."""
    if is_safetensors(look):
        return "safetensors"
    if is_onnx(look.source, claimed=suffix_of(look.name) == ".onnx"):
        return "onnx"
    return None


def _begins_hdf5(source: Source) -> bool:
    """Its mark stands at the beginning, or at 512, 1024, 2048, ... behind a block of the user's own."""
    place = 0
    while place + 8 <= source.size and place <= 1 << 24:
        if source.read_at(place, 8) == _HDF5:
            return True
        place = place * 2 or 512
    return False


def _unpacks(source: Source, kind: str) -> bool:
    try:
        return bool(STREAMS[kind]().decompress(source.read_at(0, 4096), 64))
    except (zlib.error, lzma.LZMAError, EOFError, MemoryError):
        return False
