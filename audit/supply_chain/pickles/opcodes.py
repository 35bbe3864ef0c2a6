"""The opcodes of protocols 0 to 5 (PEP 307, 3154 and 574), each as what it does to a simulated machine."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import TYPE_CHECKING

from audit.supply_chain.pickles import listed
from audit.supply_chain.pickles.stream import LONGEST, MalformedError
from audit.supply_chain.pickles.values import BUFFER, DICTIONARY, LIST, NUMBER, SET, TEXT, TUPLE, UNKNOWN, Dictionary, Row, Span, Value

if TYPE_CHECKING:
    from audit.supply_chain.pickles.machine import Machine

Operation = Callable[["Machine"], object]
PROTOCOL = 5
# Longer tuples are arguments of nothing that is asked about.
WIDEST = 64


def _text(m: Machine, count: int) -> None:
    content = m.stream.take(min(count, LONGEST))
    if count > LONGEST:
        # A name may be as long as somebody likes ("path.os.path.os..."): what begins it is enough to be on no list.
        m.stream.skip(count - LONGEST)
        content = content[:64] + b"..."
    _decoded(m, lambda: content.decode("utf-8", "surrogatepass" if count <= LONGEST else "replace"))


def _decoded(m: Machine, decode: Callable[[], str]) -> None:
    """A text, or that there is one: where it cannot be read, or there is no memory left to keep what no name has."""
    try:
        text = decode()
    except ValueError:
        m.push(TEXT)
        return
    m.push(text if listed.is_known_word(text) or m.keeps(64 + len(text)) else TEXT)


def _bytes(m: Machine, count: int) -> None:
    place = m.stream.place
    m.stream.skip(count)
    m.push(Span(place, count))


def _long(m: Machine, count: int) -> None:
    if count > 16:
        m.stream.skip(count)
        m.push(NUMBER)
    else:
        m.push(int.from_bytes(m.stream.take(count), "little", signed=True))


def _number(m: Machine, size: int, signed: bool = False) -> int:
    return int.from_bytes(m.stream.take(size), "little", signed=signed)


def _line(m: Machine) -> bytes:
    """A line; one that is too long for a name is no name that anybody lists."""
    line = m.stream.line()
    return b"..." if line is None else line


def _name(m: Machine) -> Value:
    try:
        return _line(m).decode()
    except UnicodeDecodeError:
        return UNKNOWN


def _int(m: Machine, suffix: bytes = b"") -> None:
    # What the interpreter would refuse as a number is passed over: to stop here would hide what follows.
    line = _line(m).strip().removesuffix(suffix)
    try:
        m.push(int(line) if len(line) <= 20 else NUMBER)
    except ValueError:
        m.push(NUMBER)


def _index(m: Machine) -> int:
    try:
        return int(_line(m))
    except ValueError:
        raise MalformedError("it remembers or recalls something under what is no number") from None


def _string(m: Machine) -> None:
    """Text of protocol 0 in quotes, with escapes."""
    line = _line(m).strip()
    _decoded(m, lambda: codecs.escape_decode(line[1:-1])[0].decode("ascii"))


def _unicode(m: Machine) -> None:
    line = _line(m)
    _decoded(m, lambda: line.decode("raw-unicode-escape"))


def _float(m: Machine) -> None:
    m.stream.line()
    m.push(NUMBER)


def _binary_float(m: Machine) -> None:
    m.stream.skip(8)
    m.push(NUMBER)


def _tuple(m: Machine, items: list[Value]) -> None:
    m.guard(items)
    m.push(tuple(items) if len(items) <= WIDEST and m.keeps(64 + 16 * len(items)) else TUPLE)


def _last(m: Machine, count: int) -> None:
    _tuple(m, [m.pop() for _ in range(count)][::-1])


def _list(m: Machine, items: list[Value]) -> None:
    m.push(Row(items) if m.rows else LIST)


def _dictionary(m: Machine, items: list[Value]) -> None:
    made = Dictionary({}) if m.keeps(160) else DICTIONARY
    m.push(made)
    m.fill(made, items, pairs=True)


def _frozen_set(m: Machine) -> None:
    m.since_mark()
    m.push(SET)


def _pop_mark(m: Machine) -> None:
    m.since_mark()


def _pop(m: Machine) -> None:
    if m.empty:
        m.since_mark()
    else:
        m.pop()


def _items(m: Machine, *, pairs: bool = False, single: bool = False) -> None:
    items = [m.pop() for _ in range(2 if pairs else 1)][::-1] if single else m.since_mark()
    m.fill(m.top(), items, pairs=pairs)


def _import_line(m: Machine) -> None:
    module, name = _name(m), _name(m)
    m.import_name(module, name)


def _import_stack(m: Machine) -> None:
    name, module = m.pop(), m.pop()
    m.import_name(module, name)


def _extension(m: Machine, size: int) -> None:
    code = _number(m, size, signed=size == 4)
    m.note("pickle.unresolved", f"it imports number {code} of the extension registry, which only the reader's program knows")
    m.push(UNKNOWN)


def _instance(m: Machine) -> None:
    # It imports before it looks for its arguments, so that one without them imports as well.
    _import_line(m)
    kind = m.pop()
    arguments = m.since_mark()
    m.push(kind)
    _tuple(m, arguments)
    _reduce(m)


def _object(m: Machine) -> None:
    items = m.since_mark()
    if not items:
        raise MalformedError("it makes an object of no class")
    m.push(items[0])
    _tuple(m, items[1:])
    _reduce(m)


def _reduce(m: Machine) -> None:
    arguments, function = m.pop(), m.pop()
    m.call(function, arguments, "call")


def _new(m: Machine, *, named: bool = False) -> None:
    if named:
        m.pop()
    arguments, kind = m.pop(), m.pop()
    # No real model makes anything with named arguments: they count as arguments that cannot be told.
    m.call(kind, UNKNOWN if named else arguments, "new")


def _persistent_line(m: Machine) -> None:
    m.persistent(_name(m))


def _protocol(m: Machine) -> None:
    m.protocol = m.stream.byte()
    if m.protocol > PROTOCOL:
        raise MalformedError(f"it is of protocol {m.protocol}, and the last one is {PROTOCOL}")


def _frame(m: Machine) -> None:
    length = _number(m, 8)
    m.frame_end = m.stream.place + length
    left = m.stream.size - m.stream.place
    if length > left:
        m.note("pickle.size", f"a frame of it claims {length} bytes where {left} are left")


def _length(m: Machine) -> int:
    count = _number(m, 4, signed=True)
    if count < 0:
        raise MalformedError("a text or a number of it has a length below 0")
    return count


def STOP(m: Machine) -> None:  # noqa: N802  # the protocol's name
    """The end of a pickle; the machine knows it when it sees it."""


OPERATIONS: dict[bytes, Operation] = {
    b"(": lambda m: m.mark(),
    b".": STOP,
    b"0": _pop,
    b"1": _pop_mark,
    b"2": lambda m: m.push(m.top()),
    b"F": _float,
    b"I": _int,
    b"J": lambda m: m.push(_number(m, 4, signed=True)),
    b"K": lambda m: m.push(_number(m, 1)),
    b"L": lambda m: _int(m, b"L"),
    b"M": lambda m: m.push(_number(m, 2)),
    b"N": lambda m: m.push(None),
    b"P": _persistent_line,
    b"Q": lambda m: m.persistent(m.pop()),
    b"R": _reduce,
    b"S": _string,
    b"T": lambda m: _text(m, _length(m)),
    b"U": lambda m: _text(m, _number(m, 1)),
    b"V": _unicode,
    b"X": lambda m: _text(m, _number(m, 4)),
    b"a": lambda m: _items(m, single=True),
    b"b": lambda m: m.build(),
    b"c": _import_line,
    b"d": lambda m: _dictionary(m, m.since_mark()),
    b"}": lambda m: _dictionary(m, []),
    b"e": _items,
    b"g": lambda m: m.recall(_index(m)),
    b"h": lambda m: m.recall(_number(m, 1)),
    b"i": _instance,
    b"j": lambda m: m.recall(_number(m, 4)),
    b"l": lambda m: _list(m, m.since_mark()),
    b"]": lambda m: _list(m, []),
    b"o": _object,
    b"p": lambda m: m.remember(_index(m)),
    b"q": lambda m: m.remember(_number(m, 1)),
    b"r": lambda m: m.remember(_number(m, 4)),
    b"s": lambda m: _items(m, pairs=True, single=True),
    b"t": lambda m: _tuple(m, m.since_mark()),
    b")": lambda m: m.push(()),
    b"u": lambda m: _items(m, pairs=True),
    b"G": _binary_float,
    b"\x80": _protocol,
    b"\x81": _new,
    b"\x82": lambda m: _extension(m, 1),
    b"\x83": lambda m: _extension(m, 2),
    b"\x84": lambda m: _extension(m, 4),
    b"\x85": lambda m: _last(m, 1),
    b"\x86": lambda m: _last(m, 2),
    b"\x87": lambda m: _last(m, 3),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"\x8a": lambda m: _long(m, _number(m, 1)),
    b"\x8b": lambda m: _long(m, _length(m)),
    b"B": lambda m: _bytes(m, _number(m, 4)),
    b"C": lambda m: _bytes(m, _number(m, 1)),
    b"\x8c": lambda m: _text(m, _number(m, 1)),
    b"\x8d": lambda m: _text(m, _number(m, 8)),
    b"\x8e": lambda m: _bytes(m, _number(m, 8)),
    b"\x8f": lambda m: m.push(SET),
    b"\x90": _items,
    b"\x91": _frozen_set,
    b"\x92": lambda m: _new(m, named=True),
    b"\x93": _import_stack,
    b"\x94": lambda m: m.remember(m.count()),
    b"\x95": _frame,
    b"\x96": lambda m: _bytes(m, _number(m, 8)),
    b"\x97": lambda m: m.push(BUFFER),
    b"\x98": lambda m: m.top(),
}
CODE: list[Operation | None] = [OPERATIONS.get(bytes([code])) for code in range(256)]
