"""The wire format of protocol buffers (protobuf.dev, "Encoding"), read without a schema and without holding what it carries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from audit.supply_chain.source import Source

VARINT, FIXED_64, BYTES, GROUP, GROUP_END, FIXED_32 = 0, 1, 2, 3, 4, 5
# Fields of one message; a model has some per node, a hostile file as many as bytes.
MOST_FIELDS = 20_000_000
# Readers refuse messages that lie deeper in one another.
_DEEPEST = 100
_AHEAD = 1 << 16


class MalformedError(Exception):
    """It is no message."""


class Field(NamedTuple):
    """One field of a message.

    Args:
        number: Its number.
        kind: How it is written.
        value: The number; for bytes, where they begin.
        size: How many bytes; 0 for a number.
    """

    number: int
    kind: int
    value: int
    size: int


def read_fields(source: Source) -> Iterator[Field]:
    """The fields of a message, one after another.

    Raises:
        MalformedError: If they are none, or reach beyond the message.
    """
    place, begin, ahead, count, groups = 0, 0, b"", 0, 0
    while place < source.size:
        if (place + 32 > begin + len(ahead) and begin + len(ahead) < source.size) or place < begin:
            begin, ahead = place, source.read_at(place, _AHEAD if source.size > 256 else source.size)
        tag, used = _varint(ahead, place - begin)
        number, kind = tag >> 3, tag & 7
        place += used
        if number == 0 or number >= 1 << 29:
            raise MalformedError(f"the field at byte {place} has the number {number}")
        count += 1
        if count > MOST_FIELDS:
            raise MalformedError(f"it has more than {MOST_FIELDS} fields")
        if kind in (GROUP, GROUP_END):
            # Nobody writes groups any more, and every reader passes over those that it does not know.
            if kind == GROUP and not groups:
                yield Field(number, kind, place, 0)
            groups += 1 if kind == GROUP else -1
            if not 0 <= groups <= _DEEPEST:
                raise MalformedError("a group ends that never began, or lies too deep in others")
            continue
        if kind == VARINT:
            value, used = _varint(ahead, place - begin)
            field = Field(number, kind, value, 0)
            place += used
        elif kind in (FIXED_64, FIXED_32):
            size = 8 if kind == FIXED_64 else 4
            if place + size > source.size:
                raise MalformedError("a number reaches beyond its message")
            field = Field(number, kind, int.from_bytes(ahead[place - begin : place - begin + size], "little"), 0)
            place += size
        elif kind == BYTES:
            size, used = _varint(ahead, place - begin)
            place += used
            if place + size > source.size:
                raise MalformedError(f"a field claims {size} bytes where {source.size - place} are left")
            field = Field(number, kind, place, size)
            place += size
            if place > begin + len(ahead):
                begin, ahead = place, b""
        else:
            raise MalformedError(f"a field is written in the way {kind}, which is none")
        if not groups:
            yield field
    if groups:
        raise MalformedError("a group of it never ends")


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = 0
    for used in range(10):
        if place + used >= len(content):
            raise MalformedError("a number reaches beyond its message")
        byte = content[place + used]
        value |= (byte & 0x7F) << 7 * used
        if byte < 0x80:
            return value, used + 1
    raise MalformedError("a number has more than ten bytes")


def text_of(source: Source, field: Field, limit: int = 4096) -> str:
    """The text of a field, or its beginning."""
    return source.read_at(field.value, min(field.size, limit)).decode("utf-8", "backslashreplace")
