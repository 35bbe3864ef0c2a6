"""What stands in a pickle as it is: numbers, texts and bytes, read by the opcodes that push them."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import TYPE_CHECKING

from audit.supply_chain.pickles import listed
from audit.supply_chain.pickles.stream import LONGEST, MalformedError
from audit.supply_chain.pickles.values import BYTES, NUMBER, TEXT, UNKNOWN, Span, Value

if TYPE_CHECKING:
    from audit.supply_chain.pickles.machine import Machine


def push_text(m: Machine, count: int) -> None:
    content = m.stream.take(min(count, LONGEST))
    if count > LONGEST:
        # A name may be as long as somebody likes ("path.os.path.os..."): what begins it is enough to be on no list.
        m.stream.skip(count - LONGEST)
        content = content[:64] + b"..."
    push_decoded(m, lambda: content.decode("utf-8", "surrogatepass" if count <= LONGEST else "replace"))


def push_decoded(m: Machine, decode: Callable[[], str]) -> None:
    """A text, or that there is one: where it cannot be read, or there is no memory left to keep what no name has."""
    try:
        text = decode()
    except ValueError:
        m.push(TEXT)
        return
    m.push(text if listed.is_known_word(text) or m.keeps(64 + len(text)) else TEXT)


def push_bytes(m: Machine, count: int) -> None:
    place = m.stream.place
    m.stream.skip(count)
    m.push(Span(place, count))


def push_bytearray(m: Machine) -> None:
    # It can grow after it was read, so that its bytes in the file are not what it is.
    m.stream.skip(read_number(m, 8))
    m.push(BYTES)


def push_long(m: Machine, count: int) -> None:
    if count > 16:
        m.stream.skip(count)
        m.push(NUMBER)
    else:
        m.push(int.from_bytes(m.stream.take(count), "little", signed=True))


def read_number(m: Machine, size: int, signed: bool = False) -> int:
    return int.from_bytes(m.stream.take(size), "little", signed=signed)


def read_line(m: Machine) -> bytes:
    """A line; one that is too long for a name is no name that anybody lists."""
    line = m.stream.line()
    return b"..." if line is None else line


def read_name(m: Machine) -> Value:
    try:
        return read_line(m).decode()
    except UnicodeDecodeError:
        return UNKNOWN


def push_int(m: Machine, suffix: bytes = b"") -> None:
    # What the interpreter would refuse as a number is passed over: to stop here would hide what follows.
    line = read_line(m).strip().removesuffix(suffix)
    try:
        m.push(int(line) if len(line) <= 20 else NUMBER)
    except ValueError:
        m.push(NUMBER)


def read_index(m: Machine) -> int:
    try:
        return int(read_line(m))
    except ValueError:
        raise MalformedError("it remembers or recalls something under what is no number") from None


def push_string(m: Machine) -> None:
    """Text of protocol 0 in quotes, with escapes."""
    line = read_line(m).strip()
    push_decoded(m, lambda: codecs.escape_decode(line[1:-1])[0].decode("ascii"))


def push_unicode(m: Machine) -> None:
    line = read_line(m)
    push_decoded(m, lambda: line.decode("raw-unicode-escape"))


def push_float(m: Machine) -> None:
    m.stream.line()
    m.push(NUMBER)


def push_binary_float(m: Machine) -> None:
    m.stream.skip(8)
    m.push(NUMBER)


def read_length(m: Machine) -> int:
    count = read_number(m, 4, signed=True)
    if count < 0:
        raise MalformedError("a text or a number of it has a length below 0")
    return count
