"""What a simulated pickle has on its stack: as much of each object as tells whether it may be imported, called or changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

# Texts, small whole numbers, truth values and tuples stand for themselves.
Value = Any


@dataclass(frozen=True, slots=True)
class Opaque:
    """An object of which nothing matters but its kind; one instance stands for all of them."""

    kind: str


TEXT: Final = Opaque("text")
NUMBER: Final = Opaque("number")
# Bytes that can change, so that nobody can say what they are when they are used.
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
    """A dictionary.

    Args:
        entries: Those of its entries that somebody asks for.
        others: Whether it has more.
        odd: What is wrong with the first of its keys that no attribute has.
        methods: Its keys that are names of methods of listed classes.
        given: Whether it was a state or an argument: what is judged then must not change any more.
    """

    entries: dict[str, Value] = field(default_factory=dict)
    others: bool = False
    odd: str | None = None
    methods: frozenset[str] = frozenset()
    given: bool = False


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
        state: What it was built up with since; ``True`` where nobody asks.
        shared: Whether it stands for many objects, of which nobody can say which was built up.
    """

    maker: Global
    arguments: tuple[Value, ...] | None = None
    state: Value = None
    shared: bool = False
