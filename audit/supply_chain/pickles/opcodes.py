"""The opcodes of protocols 0 to 5 (PEP 307, 3154 and 574), each as what it does to a simulated machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from audit.supply_chain.pickles import literals
from audit.supply_chain.pickles.containers import Fill, fill, guard
from audit.supply_chain.pickles.stream import MalformedError
from audit.supply_chain.pickles.values import (
    BUFFER,
    DICTIONARY,
    LIST,
    SET,
    TUPLE,
    UNKNOWN,
    Dictionary,
    Row,
    Value,
)

if TYPE_CHECKING:
    from audit.supply_chain.pickles.machine import Machine

Operation = Callable[["Machine"], object]
PROTOCOL = 5
# Longer tuples are arguments of nothing that is asked about.
WIDEST = 64


def _tuple(m: Machine, items: list[Value]) -> None:
    # A tuple may be what a call takes; a tuple inside it is not.
    kept = len(items) <= WIDEST and m.keeps(64 + 16 * len(items))
    guard(m, [item for item in items if type(item) is tuple] if kept else items)
    m.push(tuple(items) if kept else TUPLE)


def _last(m: Machine, count: int) -> None:
    _tuple(m, [m.pop() for _ in range(count)][::-1])


def _list(m: Machine, items: list[Value]) -> None:
    guard(m, items)
    m.push(Row(items) if m.rows else LIST)


def _dictionary(m: Machine, items: list[Value]) -> None:
    made = Dictionary() if m.keeps(256) else DICTIONARY
    m.push(made)
    fill(m, made, items, "set")


def _frozen_set(m: Machine) -> None:
    guard(m, m.since_mark())
    m.push(SET)


def _pop_mark(m: Machine) -> None:
    m.since_mark()


def _pop(m: Machine) -> None:
    if m.empty:
        m.since_mark()
    else:
        m.pop()


def _items(m: Machine, how: Fill, *, single: bool = False) -> None:
    items = [m.pop() for _ in range(2 if how == "set" else 1)][::-1] if single else m.since_mark()
    fill(m, m.top(), items, how)


def _import_line(m: Machine) -> None:
    module, name = literals.read_name(m), literals.read_name(m)
    m.import_name(module, name)


def _import_stack(m: Machine) -> None:
    name, module = m.pop(), m.pop()
    m.import_name(module, name)


def _extension(m: Machine, size: int) -> None:
    code = literals.read_number(m, size, signed=size == 4)
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
    m.persistent(literals.read_name(m))


def _protocol(m: Machine) -> None:
    m.protocol = m.stream.byte()
    if m.protocol > PROTOCOL:
        raise MalformedError(f"it is of protocol {m.protocol}, and the last one is {PROTOCOL}")


def _frame(m: Machine) -> None:
    length = literals.read_number(m, 8)
    m.frame_end = m.stream.place + length
    left = m.stream.size - m.stream.place
    if length > left:
        m.note("pickle.size", f"a frame of it claims {length} bytes where {left} are left")


def STOP(m: Machine) -> None:  # noqa: N802  # the protocol's name
    """The end of a pickle; the machine knows it when it sees it."""


OPERATIONS: dict[bytes, Operation] = {
    b"(": lambda m: m.mark(),
    b".": STOP,
    b"0": _pop,
    b"1": _pop_mark,
    b"2": lambda m: m.push(m.top()),
    b"F": literals.push_float,
    b"I": literals.push_int,
    b"J": lambda m: m.push(literals.read_number(m, 4, signed=True)),
    b"K": lambda m: m.push(literals.read_number(m, 1)),
    b"L": lambda m: literals.push_int(m, b"L"),
    b"M": lambda m: m.push(literals.read_number(m, 2)),
    b"N": lambda m: m.push(None),
    b"P": _persistent_line,
    b"Q": lambda m: m.persistent(m.pop()),
    b"R": _reduce,
    b"S": literals.push_string,
    b"T": lambda m: literals.push_text(m, literals.read_length(m)),
    b"U": lambda m: literals.push_text(m, literals.read_number(m, 1)),
    b"V": literals.push_unicode,
    b"X": lambda m: literals.push_text(m, literals.read_number(m, 4)),
    b"a": lambda m: _items(m, "append", single=True),
    b"b": lambda m: m.build(),
    b"c": _import_line,
    b"d": lambda m: _dictionary(m, m.since_mark()),
    b"}": lambda m: _dictionary(m, []),
    b"e": lambda m: _items(m, "append"),
    b"g": lambda m: m.recall(literals.read_index(m)),
    b"h": lambda m: m.recall(literals.read_number(m, 1)),
    b"i": _instance,
    b"j": lambda m: m.recall(literals.read_number(m, 4)),
    b"l": lambda m: _list(m, m.since_mark()),
    b"]": lambda m: _list(m, []),
    b"o": _object,
    b"p": lambda m: m.remember(literals.read_index(m)),
    b"q": lambda m: m.remember(literals.read_number(m, 1)),
    b"r": lambda m: m.remember(literals.read_number(m, 4)),
    b"s": lambda m: _items(m, "set", single=True),
    b"t": lambda m: _tuple(m, m.since_mark()),
    b")": lambda m: m.push(()),
    b"u": lambda m: _items(m, "set"),
    b"G": literals.push_binary_float,
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
    b"\x8a": lambda m: literals.push_long(m, literals.read_number(m, 1)),
    b"\x8b": lambda m: literals.push_long(m, literals.read_length(m)),
    b"B": lambda m: literals.push_bytes(m, literals.read_number(m, 4)),
    b"C": lambda m: literals.push_bytes(m, literals.read_number(m, 1)),
    b"\x8c": lambda m: literals.push_text(m, literals.read_number(m, 1)),
    b"\x8d": lambda m: literals.push_text(m, literals.read_number(m, 8)),
    b"\x8e": lambda m: literals.push_bytes(m, literals.read_number(m, 8)),
    b"\x8f": lambda m: m.push(SET),
    b"\x90": lambda m: _items(m, "add"),
    b"\x91": _frozen_set,
    b"\x92": lambda m: _new(m, named=True),
    b"\x93": _import_stack,
    b"\x94": lambda m: m.remember(m.count()),
    b"\x95": _frame,
    b"\x96": literals.push_bytearray,
    b"\x97": lambda m: m.push(BUFFER),
    b"\x98": lambda m: m.top(),
}
CODE: list[Operation | None] = [OPERATIONS.get(bytes([code])) for code in range(256)]
