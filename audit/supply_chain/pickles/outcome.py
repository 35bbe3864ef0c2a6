"""What came of going through a pickle."""

from __future__ import annotations

from dataclasses import dataclass, field

from audit.supply_chain.look import Note
from audit.supply_chain.pickles.values import Span, Value


@dataclass
class Storage:
    """Numbers that lie beside a torch pickle.

    Args:
        type: What torch calls their type, ``"FloatStorage"``.
        count: How many there are.
    """

    type: str
    count: int


@dataclass
class Outcome:
    """What came of a pickle.

    Args:
        end: The byte after it, or where it went wrong.
        notes: What was found.
        result: What it would give; ``None`` where it went wrong.
        fault: Why it went wrong.
        called: Whether it calls what is on no list, or cannot be told.
        misused: Whether it uses a listed name as no real model does.
        opens: Whether that may run or open what its sender likes.
        foreign: Whether it imports what is on no list, by a name that is there on purpose.
        wraps: Whether joblib would read an array out of the file somewhere in it.
        opcodes: How many it has.
        nested: Bytes in it that a listed function would open as a file of torch.
        storages: The storages that it refers to, by key.
    """

    end: int = 0
    notes: list[Note] = field(default_factory=list)
    result: Value = None
    fault: str | None = None
    called: bool = False
    misused: bool = False
    opens: bool = False
    foreign: bool = False
    wraps: bool = False
    opcodes: int = 0
    nested: set[Span] = field(default_factory=set)
    storages: dict[str, Storage] = field(default_factory=dict)

    @property
    def reaches(self) -> bool:
        """Whether it imports or opens something that is there on purpose."""
        return self.opens or self.foreign or bool(self.nested)

    @property
    def acts(self) -> bool:
        """Whether it runs something, which bytes that are no pickle hardly ever do."""
        return self.called or self.misused or bool(self.nested)
