"""Options: values that somebody states are held against the types that a dataclass gives them.

Dataclasses check nothing, and a number in quotes would fail far from where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from math import isfinite
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from classifier.errors import ConfigurationError, did_you_mean

Item = TypeVar("Item")
_KINDS: dict[type, type] = {int: Integral, float: Real}
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_LISTS = {int: "a list of whole numbers", float: "a list of numbers", str: "a list of texts"}


def require_types(kind: type, given: Mapping[str, Any], *, whose: str = "") -> None:
    """Refuse values of other types than a dataclass states for its fields.

    Which of several words a value may be is left to the dataclass, which can say more.

    Args:
        kind: The dataclass.
        given: Values by the name of their field; names that are no fields are passed over.
        whose: What to put behind a field's name in the error, ``" of feature 'income'"``.

    Raises:
        ConfigurationError: With the first value that does not fit.
    """
    hints = _hints(kind)
    for name, value in given.items():
        if name in hints and not _fits(value, hints[name]):
            quoted = isinstance(value, str) and not {int, float, bool}.isdisjoint((hints[name], *_alternatives(hints[name])))
            raise ConfigurationError(
                f"{name}{whose} must be {_words(hints[name])}, got {value!r}", remedy="leave out the quotes" if quoted else ""
            )


def configured(kind: type[Item], options: Mapping[str, Any], *, name: str) -> Item:
    """A dataclass of options, made of those that somebody states; lists become tuples.

    Args:
        kind: The dataclass.
        options: Values by the name of their option.
        name: What has these options, for errors.

    Raises:
        ConfigurationError: If there is no such option, or a value is of another type or not finite.
    """
    known = [option.name for option in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    for option in options:
        if option not in known:
            raise ConfigurationError(f"{name} has no option {option!r}", remedy=did_you_mean(option, known))
    require_types(kind, options, whose=f" of {name}")
    for option, value in options.items():
        # A record holds no infinity, and one that is left out would mean the default.
        if isinstance(value, float) and not isfinite(value):
            raise ConfigurationError(f"{option} of {name} must be finite, got {value}")
    return kind(**{option: _tupled(value) for option, value in options.items()})


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else ()


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any or origin is Literal:
        return True
    if _alternatives(hint):
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        # TOML and JSON give lists. A text is a sequence too, and would become a list of letters.
        return isinstance(value, tuple | list) and all(_fits(part, inner[0]) for part in value)
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, _KINDS.get(hint, origin or hint))


def _words(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if _alternatives(hint):
        return " or ".join(_words(each) for each in inner if each is not NoneType)
    if origin is tuple:
        return _LISTS.get(inner[0], "a list")
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "a table of values by name"
    return _WORDS.get(hint, f"a {getattr(hint, '__name__', hint)}")
