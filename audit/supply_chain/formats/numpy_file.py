"""Numpy files (numpy.lib.format, versions 1.0 to 3.0): their header is read as a literal, never evaluated."""

from __future__ import annotations

import ast
import re
import warnings
from math import prod

from audit.supply_chain.look import Look, printable
from audit.supply_chain.pickles.sequence import look_for_pickles
from audit.supply_chain.source import Source
from audit.supply_chain.weights import check_numbers

MAGIC = b"\x93NUMPY"
# numpy itself refuses a longer one unless it is told to trust the file.
LONGEST_HEADER = 10_000
_DTYPE = re.compile(r"([<>|=]?)([biufcSUVmM?OB])(\d{0,9})(\[[a-zA-Z0-9]*\])?")
# A type of objects, in one of its spellings, or an escape that could hide it.
_OBJECTS = re.compile(rb"O|object|\\")
_TYPES = {"f2": "F16", "f4": "F32", "f8": "F64", "c8": "C64", "c16": "C128"}


class MalformedError(Exception):
    """The header is none."""


def look_into_array(look: Look) -> None:
    """Hold the header against the file; simulate the pickle of an array of objects; search numbers for NaN."""
    try:
        start, dtype, shape = _header(look)
        size, holds_objects = _width(dtype)
    except MalformedError as error:
        # numpy may read what is not read here: where that could be an array of objects, what follows is a pickle.
        start, text = _begin(look.source)
        rest = look.source.window(start, look.source.size)
        found = look_for_pickles(look.inside("objects.pkl", rest, shown="(objects)"), claimed=False)
        look.unseen("numpy.malformed", str(error), severity="high" if found or _OBJECTS.search(text) else None)
        return
    body = look.source.window(start, look.source.size)
    if holds_objects:
        look.find("numpy.object", "it is an array of objects, which numpy opens as a pickle", start)
        look_for_pickles(look.inside("objects.pkl", body, shown="(objects)"), claimed=True)
        return
    needed = prod(shape) * size
    if body.size != needed:
        look.find("numpy.malformed", f"it has {body.size} bytes of numbers, and its header asks for {needed}", start)
    kind = str(dtype).lstrip("<>|=")
    if kind in _TYPES:
        check_numbers(look, body, _TYPES[kind], look.name, order=">" if str(dtype)[0] == ">" else "<", offset=start)


def _begin(source: Source) -> tuple[int, bytes]:
    """Where the numbers begin by the length of the header, and the header, or its beginning."""
    wide = 2 if source.read_at(6, 1) == b"\x01" else 4
    length = int.from_bytes(source.read_at(8, wide), "little")
    return 8 + wide + length, source.read_at(8 + wide, min(length, 1 << 20))


def _header(look: Look) -> tuple[int, object, tuple[int, ...]]:
    source = look.source
    major = source.read_at(6, 1)
    if major not in (b"\x01", b"\x02", b"\x03"):
        raise MalformedError("it is of a version that numpy does not write")
    start, text = _begin(source)
    if len(text) > LONGEST_HEADER or start > source.size:
        raise MalformedError(f"its header claims {start - 8} bytes, and {LONGEST_HEADER} are the most, or fewer are left")
    try:
        with warnings.catch_warnings():
            # What Python thinks of the escapes in it is of no use to whoever scans.
            warnings.simplefilter("ignore")
            header = ast.literal_eval(text.decode("utf-8" if major == b"\x03" else "latin1").strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise MalformedError("its header is no literal") from None
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise MalformedError("its header has other entries than descr, fortran_order and shape")
    shape = header["shape"]
    if not isinstance(shape, tuple) or len(shape) > 64 or not all(type(n) is int and 0 <= n < 1 << 63 for n in shape):
        raise MalformedError(f"its shape is {printable(str(shape))[:80]}")
    return start, header["descr"], shape


def _width(dtype: object, depth: int = 0) -> tuple[int, bool]:
    """Bytes of one item, and whether it holds objects."""
    if isinstance(dtype, str):
        match = _DTYPE.fullmatch(dtype)
        if match is None:
            raise MalformedError(f"its type is {printable(dtype)[:80]!r}")
        _, kind, digits, _ = match.groups()
        if kind == "O":
            return 8, True
        return (1 if kind in "?bB" and not digits else int(digits or 0) * (4 if kind == "U" else 1)), False
    if isinstance(dtype, list) and depth < 8 and len(dtype) <= 10_000:
        parts = []
        for field in dtype:
            if not isinstance(field, tuple) or len(field) not in (2, 3):
                raise MalformedError("a field of its type is malformed")
            size, objects = _width(field[1], depth + 1)
            shape = field[2] if len(field) == 3 else ()
            shape = (shape,) if type(shape) is int else shape
            if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
                raise MalformedError("a field of its type is malformed")
            parts.append((size * prod(shape), objects))
        return sum(size for size, _ in parts), any(objects for _, objects in parts)
    if isinstance(dtype, tuple) and len(dtype) == 2 and depth < 8:
        # A type with a shape, or with metadata that numpy itself drops.
        size, objects = _width(dtype[0], depth + 1)
        shape = (dtype[1],) if type(dtype[1]) is int else dtype[1]
        if isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape):
            return size * prod(shape), objects
    raise MalformedError("its type is malformed")
