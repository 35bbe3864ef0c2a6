"""Where the tensors of a safetensors file lie, read strictly from its header alone (github.com/huggingface/safetensors, "Format")."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from classifier.errors import IntegrityError

LENGTH = 8
# The limit of the reference implementation; a longer header is an attempt to exhaust memory.
LONGEST_HEADER = 100_000_000
# No library that computes with tensors takes more dimensions, or counts their bytes in more than 63 bits.
MOST_DIMENSIONS, LARGEST = 64, 1 << 63
# Bits of one number of each type.
BITS = {
    "F4": 4,
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


class Readable(Protocol):
    """A binary file to read from its start."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        ...


@dataclass(frozen=True)
class Slot:
    """Where one tensor lies.

    Args:
        dtype: What safetensors calls its type, ``"F32"``.
        shape: Its shape.
        begin: Its first byte, counted from the start of the file.
        end: The byte after its last.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Layout:
    """What a safetensors file holds, and where.

    Args:
        tensors: Where each tensor lies, by its name, in the order of the file.
        metadata: What is told beside them.
        data_start: The first byte after the header.
        size: Bytes of the whole file.
    """

    tensors: Mapping[str, Slot]
    metadata: Mapping[str, str]
    data_start: int
    size: int


def read_layout(source: Readable, size: int) -> Layout:
    """Read the header, and nothing else.

    Args:
        source: The file, at its start; it is left where the tensors begin.
        size: Bytes of the whole file. Nothing is allocated that it does not cover.

    Raises:
        IntegrityError: If the header is malformed or names something twice, or the tensors overlap, leave a gap, have
            another size than their shape needs, or do not fill the file.
    """
    length = int.from_bytes(_exactly(source, LENGTH, size), "little")
    if length > min(LONGEST_HEADER, size - LENGTH):
        raise _fault(f"its header claims {length} bytes, and there are {size - LENGTH}, of which it may have {LONGEST_HEADER}")
    return parse_layout(_exactly(source, length, size - LENGTH), size - LENGTH - length)


def parse_layout(header: bytes, data: int) -> Layout:
    """Read the text of a header ``{...}`` that `data` bytes of tensors follow; see `read_layout`."""
    document = _parse(header)
    metadata = document.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _fault("its metadata are not text by name")
    try:
        "".join([*document, *metadata, *metadata.values()]).encode()
    except UnicodeEncodeError:
        raise _fault("its names or metadata hold half of a character, which no other reader takes") from None
    start = LENGTH + len(header)
    slots = {name: _slot(name, entry, start, start + data) for name, entry in document.items()}
    # Tensors without elements take no room, so the end decides among those that begin at one place.
    ordered = dict(sorted(slots.items(), key=lambda item: (item[1].begin, item[1].end)))
    end = start
    for name, slot in ordered.items():
        if slot.begin != end:
            raise _fault(f"tensor {_told(name)} begins at byte {slot.begin}, and the one before it ends at {end}")
        end = slot.end
    if end != start + data:
        raise _fault(f"its tensors end at byte {end}, and the file at {start + data}")
    return Layout(ordered, metadata, start, start + data)


def write_header(tensors: Sequence[tuple[str, str, Sequence[int]]], metadata: Mapping[str, str]) -> bytes:
    """The bytes before the tensors: length and header, padded so that the tensors begin at a multiple of 8.

    Args:
        tensors: Name, type and shape of each, in the order in which they follow.
        metadata: What is told beside them.
    """
    document: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, dtype, shape in tensors:
        begin, end = end, end + byte_count(dtype, shape)
        document[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    header = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(LENGTH, "little") + header


def byte_count(dtype: str, shape: Sequence[int]) -> int:
    """Bytes of a tensor.

    Raises:
        IntegrityError: If they are not a whole number, or the tensor is too large for any machine; of one without elements,
            if it were with one along each axis that has none.
    """
    if len(shape) > MOST_DIMENSIONS:
        raise _fault(f"a tensor has {len(shape)} dimensions, allowed are {MOST_DIMENSIONS}")
    if prod(filter(None, shape)) * BITS[dtype] >= LARGEST:
        raise _fault(f"a tensor of {list(shape)} numbers of type {dtype} has {LARGEST} bits or more")
    bits = prod(shape) * BITS[dtype]
    if bits % 8:
        raise _fault(f"a tensor of {list(shape)} numbers of type {dtype} ends inside a byte")
    return bits // 8


def _slot(name: str, entry: object, start: int, end: int) -> Slot:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise _fault(f"tensor {_told(name)} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise _fault(f"tensor {_told(name)} has the type {_told(dtype)}, which safetensors does not know")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise _fault(f"tensor {_told(name)} has a shape or offsets that are no lists of whole numbers from 0")
    begin, stop = (start + offset for offset in offsets)
    if not begin <= stop <= end:
        raise _fault(f"tensor {_told(name)} lies from byte {begin} to {stop}, and the file ends at {end}")
    if stop - begin != (needed := byte_count(dtype, shape)):
        raise _fault(f"tensor {_told(name)} has {stop - begin} bytes, and its shape needs {needed}")
    return Slot(dtype, tuple(shape), begin, stop)


def _counts(values: object) -> bool:
    # JSON's true is an int in Python.
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 63 for value in values)


def _parse(header: bytes) -> dict[str, Any]:
    if not header.startswith(b"{"):
        raise _fault("its header does not begin with a brace")
    try:
        # Decoded here: the parser would take UTF-16 and UTF-32 as well, which no other reader does.
        document = json.loads(header.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _fault("its header is not JSON") from None
    if not isinstance(document, dict):
        raise _fault("its header is no JSON object")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise _fault(f"its header names {_told(twice)} twice")
    return found


def _told(text: object) -> str:
    """A stranger's text for an error, as much of it as a line holds."""
    return repr(text[:64]) if isinstance(text, str) else f"of kind {type(text).__name__}"


def _exactly(source: Readable, count: int, available: int) -> bytes:
    if count > available:
        raise _fault(f"it has {available} bytes, required are {count}")
    content = source.read(count)
    if len(content) < count:
        raise _fault(f"it ends {count - len(content)} bytes early")
    return content


def _fault(problem: str) -> IntegrityError:
    return IntegrityError(f"this is no safetensors file: {problem}", remedy="take it from its origin again")
