"""ONNX (onnx/onnx.proto3): where its data lie, whose operators it needs, and numbers that are none."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from math import prod
from pathlib import PurePosixPath

from audit.supply_chain.formats.protobuf import BYTES, FIXED_32, VARINT, Field, MalformedError, read_fields, text_of
from audit.supply_chain.look import Look, printable
from audit.supply_chain.source import Source
from audit.supply_chain.weights import check_numbers

# Graphs inside the attributes of nodes, inside graphs.
DEEPEST = 32
# Operators that the standard or its usual runtime define.
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training", "com.microsoft"})
# TensorProto.DataType, in the words of safetensors, and bytes of one number.
_FLOATS = {1: ("F32", 4), 10: ("F16", 2), 11: ("F64", 8), 14: ("C64", 8), 15: ("C128", 16), 16: ("BF16", 2)}
_FLOATS |= {17: ("F8_E4M3", 1), 19: ("F8_E5M2", 1)}
_WIDTHS = {2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 12: 4, 13: 8, **{code: width for code, (_, width) in _FLOATS.items()}}
_EXTERNAL = 1
# Of a text, which may look like nothing but unknown fields, no more are read.
_MOST_UNKNOWN = 100_000
# Fields of a model and of a graph.
_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
_GRAPH_FIELDS = frozenset({1, 2, 5, 10, 11, 12, 13, 14, 15, 16})


@dataclass
class _Tensor:
    name: str = ""
    shape: list[int] = field(default_factory=list)
    type: int = 0
    raw: Field | None = None
    located: int = 0
    entries: dict[str, str] = field(default_factory=dict)


def is_onnx(source: Source, *, claimed: bool) -> bool:
    """Whether it is a message with a graph, a version and operator sets.

    Args:
        source: Its bytes.
        claimed: Whether its name says so: fields that no model has are passed over then, as every reader does.
    """
    found: dict[int, int] = {}
    graph: Field | None = None
    unknown = 0
    try:
        for part in read_fields(source):
            unknown += part.number not in _FIELDS
            if unknown > _MOST_UNKNOWN and not claimed:
                return False
            found[part.number] = part.kind
            if part.number == 7 and part.kind == BYTES:
                graph = part
    except MalformedError:
        if not claimed:
            return False
    if graph is None or not (found.get(1) == VARINT or found.get(8) == BYTES):
        return False
    return claimed or found.keys() <= _FIELDS or _is_graph(_message(source, graph))


def _is_graph(source: Source) -> bool:
    try:
        found = {part.number for part in read_fields(source)}
    except MalformedError:
        return False
    return bool(found & {1, 5}) and found <= _GRAPH_FIELDS


def look_into_onnx(look: Look) -> None:
    """Walk through graphs and functions."""
    domains: set[str] = set()
    try:
        for part in read_fields(look.source):
            if part.number not in _FIELDS:
                look.find("onnx.malformed", f"it has a field {part.number}, which no model has", part.value)
            if part.number in (7, 25) and part.kind == BYTES:
                _walk(look, _message(look.source, part), part.value, "graph" if part.number == 7 else "function", domains, 0)
            elif part.number == 20 and part.kind == BYTES:
                for inner in read_fields(_message(look.source, part)):
                    if inner.number in (1, 2) and inner.kind == BYTES:
                        window = _message(look.source, part)
                        _walk(look, _message(window, inner), part.value + inner.value, "graph", domains, 1)
            elif part.number == 8 and part.kind == BYTES:
                window = _message(look.source, part)
                domains.update(text_of(window, f) for f in read_fields(window) if f.number == 1 and f.kind == BYTES)
    except MalformedError as error:
        look.unseen("onnx.malformed", str(error))
    own = sorted(domains - DOMAINS)
    if own:
        look.find("onnx.domain", f"it uses operators of {', '.join(map(printable, own[:10]))}")


def _message(source: Source, part: Field) -> Source:
    return source.window(part.value, part.size)


def _walk(look: Look, source: Source, base: int, kind: str, domains: set[str], depth: int) -> None:
    """A graph or a function: its nodes, its tensors, and the graphs in the attributes of nodes."""
    if depth > DEEPEST:
        raise MalformedError(f"its graphs lie more than {DEEPEST} deep in one another")
    for part in read_fields(source):
        if part.kind != BYTES:
            continue
        inside = _message(source, part)
        if part.number == (1 if kind == "graph" else 7):
            _node(look, inside, base + part.value, domains, depth)
        elif kind == "graph" and part.number == 5:
            _tensor(look, inside, base + part.value)
        elif kind == "graph" and part.number == 15:
            _sparse(look, inside, base + part.value)
        elif kind == "function" and part.number == 11:
            _attribute(look, inside, base + part.value, domains, depth)


def _node(look: Look, source: Source, base: int, domains: set[str], depth: int) -> None:
    for part in read_fields(source):
        if part.number == 7 and part.kind == BYTES:
            domains.add(text_of(source, part, 256))
        elif part.number == 5 and part.kind == BYTES:
            _attribute(look, _message(source, part), base + part.value, domains, depth)


def _attribute(look: Look, source: Source, base: int, domains: set[str], depth: int) -> None:
    for part in read_fields(source):
        if part.kind != BYTES:
            continue
        inside, place = _message(source, part), base + part.value
        if part.number in (5, 10):
            _tensor(look, inside, place)
        elif part.number in (6, 11):
            _walk(look, inside, place, "graph", domains, depth + 1)
        elif part.number in (22, 23):
            _sparse(look, inside, place)


def _sparse(look: Look, source: Source, base: int) -> None:
    for part in read_fields(source):
        if part.number in (1, 2) and part.kind == BYTES:
            _tensor(look, _message(source, part), base + part.value)


def _tensor(look: Look, source: Source, base: int) -> None:
    tensor = _Tensor()
    for part in read_fields(source):
        match part.number, part.kind:
            case 1, 0:
                tensor.shape.append(part.value)
            case 1, 2:
                tensor.shape += _packed(source, part)
            case 2, 0:
                tensor.type = part.value
            case 8, 2:
                tensor.name = text_of(source, part, 200)
            case 9, 2:
                tensor.raw = part
            case 13, 2:
                inside = _message(source, part)
                pair = {f.number: text_of(inside, f) for f in read_fields(inside) if f.kind == BYTES}
                tensor.entries[pair.get(1, "")] = pair.get(2, "")
            case 14, 0:
                tensor.located = part.value
            case (4 | 10, 2):
                dtype = "F32" if part.number == 4 else "F64"
                check_numbers(look, _message(source, part), dtype, tensor.name, offset=base + part.value)
            case (4, k) if k == FIXED_32:
                # A float that stands alone; NaN and infinity have an exponent of ones.
                if part.value & 0x7F800000 == 0x7F800000:
                    rule = "weights.nan" if part.value & 0x7FFFFF else "weights.infinite"
                    look.find(rule, f"a number of tensor {printable(tensor.name)!r}", base)
    if len(tensor.shape) > 64 or any(size >= 1 << 63 for size in tensor.shape):
        raise MalformedError(f"tensor {printable(tensor.name)!r} has a shape that no tensor has")
    if tensor.entries or tensor.located == _EXTERNAL:
        _external(look, tensor, base)
    elif tensor.raw is not None:
        width = _WIDTHS.get(tensor.type)
        if width is not None and prod(tensor.shape) * width != tensor.raw.size:
            reason = f"tensor {printable(tensor.name)!r} has {tensor.raw.size} bytes, and its shape needs {prod(tensor.shape) * width}"
            look.find("onnx.malformed", reason, base + tensor.raw.value)
        if tensor.type in _FLOATS:
            check_numbers(look, _message(source, tensor.raw), _FLOATS[tensor.type][0], tensor.name, offset=base + tensor.raw.value)


def _packed(source: Source, part: Field) -> list[int]:
    """Whole numbers written one after another."""
    content = source.read_at(part.value, min(part.size, 1024))
    numbers, value, shift = [], 0, 0
    for byte in content:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    return numbers


def _external(look: Look, tensor: _Tensor, base: int) -> None:
    """Data of a tensor in another file: one in the same folder or below, that is there, whole, and no link."""
    location, name = tensor.entries.get("location", ""), printable(tensor.name)
    path = PurePosixPath(location.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in location or not location or "\0" in location:
        look.find("onnx.external", f"the data of tensor {name!r} lie in {printable(location)!r}", base)
        return
    if look.path is None:
        look.unseen("onnx.missing", f"the data of tensor {name!r} lie in {printable(location)!r}, beside an archive", base)
        return
    there = look.path.parent / path
    try:
        # Any link on the way counts: it may lead anywhere tomorrow.
        steps = [there, *list(there.parents)[: len(path.parts) - 1]]
        if any(step.is_symlink() for step in steps):
            look.find("onnx.external", f"the data of tensor {name!r} lie behind the link {printable(location)!r}", base)
            return
        found = there.stat()
    except (OSError, ValueError):
        look.find("onnx.missing", f"the data of tensor {name!r} lie in {printable(location)!r}, which is not there", base)
        return
    numbers = [tensor.entries.get(key, str(default)) for key, default in (("offset", 0), ("length", max(0, found.st_size)))]
    if not stat.S_ISREG(found.st_mode) or not all(n.isdecimal() and len(n) < 20 for n in numbers):
        look.find("onnx.missing", f"the place of tensor {name!r} in {printable(location)!r} is none", base)
        return
    begin, length = int(numbers[0]), int(numbers[1])
    if "length" not in tensor.entries:
        length = found.st_size - begin
    if begin + length > found.st_size or length < 0:
        reason = f"tensor {name!r} ends at byte {begin + length} of {printable(location)!r}, which has {found.st_size}"
        look.find("onnx.missing", reason, base)
        return
    width = _WIDTHS.get(tensor.type)
    if width is not None and prod(tensor.shape) * width != length:
        look.find("onnx.malformed", f"tensor {name!r} has {length} bytes, and its shape needs {prod(tensor.shape) * width}", base)
    claimed = look.journal.claim(there, begin, length)
    if claimed > found.st_size:
        look.find("onnx.malformed", f"tensor {name!r} lies over others in {printable(location)!r}", base)
    elif claimed and tensor.type in _FLOATS:
        with there.open("rb") as file:
            check_numbers(look, Source(file, begin, length), _FLOATS[tensor.type][0], tensor.name)
