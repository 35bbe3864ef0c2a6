"""What goes into containers: items into what only holds them, and functions nowhere, since nobody looks at a later call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from audit.supply_chain.look import printable
from audit.supply_chain.pickles import states, usage
from audit.supply_chain.pickles.stream import MalformedError
from audit.supply_chain.pickles.values import (
    ARRAY,
    BUFFER,
    BYTES,
    DICTIONARY,
    LIST,
    PLAIN,
    SET,
    STORAGE,
    UNKNOWN,
    Dictionary,
    Global,
    Made,
    Row,
    Span,
    Value,
)

if TYPE_CHECKING:
    from audit.supply_chain.pickles.machine import Machine

Fill = Literal["append", "add", "set"]
# What is not followed, and takes items without calling anything of the pickle's own.
_TAKERS: dict[Fill, tuple[Value, ...]] = {"append": (LIST, BYTES, BUFFER), "add": (SET,), "set": (LIST, DICTIONARY, BYTES, BUFFER)}
_MOST_ITEMS = 100_000


def fill(machine: Machine, target: Value, items: list[Value], how: Fill) -> None:
    """Put items or entries into a container; into anything else they are a call of a method that it is asked for."""
    if not items:
        return
    guard(machine, items)
    if isinstance(target, Global):
        machine.note("pickle.build", f"it puts items into {printable(str(target))} itself", opens=True)
    elif target is UNKNOWN:
        machine.note("pickle.unresolved", "it puts items into what only a call would give")
    elif isinstance(target, Dictionary) and how == "set":
        if target.given:
            machine.note("pickle.call", "it changes a dictionary after it has handed it on, which no real model does")
        for key, value in zip(items[::2], items[1::2], strict=False):
            states.enter(target, key, value)
    elif isinstance(target, Row) and how == "append":
        target.items.extend(items[: max(0, _MOST_ITEMS - len(target.items))])
    elif isinstance(target, Made) and not (how == "set" and target.maker in states.MAPPINGS):
        machine.note("pickle.call", f"it puts items into what {target.maker} gave, which calls a method of it", opens=True)
    elif target is STORAGE or target is ARRAY:
        machine.note("pickle.call", f"it puts items into {target.kind}, which no real model does")
    elif is_plain(target) and not isinstance(target, Row) and not any(target is taker for taker in _TAKERS[how]):
        raise MalformedError("it puts items into something that takes none")


def guard(machine: Machine, items: list[Value]) -> None:
    """Take note of functions that are kept for a later call, by themselves or as a part of a tuple."""
    for place, item in enumerate(items):
        for part in item if type(item) is tuple else (item,):
            if type(part) is Global and not usage.may_be_kept(part) and not (place and usage.maps_for_joblib(items[place - 1], part)):
                machine.note("pickle.call", f"it keeps {part} for a call that nobody has looked at", opens=part in usage.OPENERS)


def is_plain(value: Value) -> bool:
    """Whether the interpreter itself can neither call it nor ask it for anything of the pickle's own."""
    return value is None or isinstance(value, str | int | tuple | Dictionary | Row | Span) or any(value is plain for plain in PLAIN)


def hand_on(value: Value) -> None:
    """Dictionaries in a state or in arguments are judged now, and must not change after."""
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(part, Dictionary):
            part.given = True
