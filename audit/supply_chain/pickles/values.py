"""What a simulated pickle has on its stack: as much of each object as tells whether it may be imported, called or changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

# Texts, small whole numbers, truth values and tuples stand for themselves.
Value = Any


@dataclass(frozen=True, slots=True)
class Opaque:
    """An object of which nothing matters but its kind; one instance stands for all of them."""

    kind: str


TEXT: Final = Opaque("text")
NUMBER: Final = Opaque("number")
BYTES: Final = Opaque("bytes")
LIST: Final = Opaque("list")
DICTIONARY: Final = Opaque("dictionary")
SET: Final = Opaque("set")
TUPLE: Final = Opaque("tuple")
BUFFER: Final = Opaque("buffer")
UNKNOWN: Final = Opaque("unknown")
# What comes of an import that was reported already: nothing that becomes of it is worth another word.
FOREIGN: Final = Opaque("foreign")
STORAGE: Final = Opaque("storage")
ARRAY: Final = Opaque("array")
# What nobody can call.
PLAIN: Final = (TEXT, NUMBER, BYTES, LIST, DICTIONARY, SET, TUPLE, BUFFER, STORAGE, ARRAY)


@dataclass(frozen=True, slots=True)
class Global:
    """Something that a pickle imports by name.

    Args:
        module: Module, as it would be imported.
        name: Name in it.
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes that lie in the pickle.

    Args:
        begin: Their first byte in the source.
        size: How many there are.
    """

    begin: int
    size: int


@dataclass(eq=False, slots=True)
class Dictionary:
    """A dictionary, with those of its entries that somebody asks for."""

    entries: dict[str, Value]


@dataclass(eq=False, slots=True)
class Row:
    """A list, with its items where somebody asks for them."""

    items: list[Value]


@dataclass(eq=False, slots=True)
class Made:
    """What a call gave.

    Args:
        maker: What was called.
        arguments: With what; ``None`` where nobody asks.
        state: What it was built up with since.
    """

    maker: Global
    arguments: tuple[Value, ...] | None = None
    state: Value = None
