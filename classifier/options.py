"""Options: values that somebody states are held against the types that a dataclass gives them."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from classifier.errors import ConfigurationError

_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", NoneType: "nothing"}


def require_types(kind: type, given: Mapping[str, Any], *, where: str = "") -> None:
    """Refuse values of other types than a dataclass states for its fields.

    Which of several words a value may be is left to the dataclass, which can say more.

    Args:
        kind: The dataclass.
        given: Values by the name of their field; names that are no fields are passed over.
        where: What to put before a field's name in the error.

    Raises:
        ConfigurationError: With the first value that does not fit.
    """
    hints = get_type_hints(kind)
    for name, value in given.items():
        if name in hints and not _fits(value, hints[name]):
            raise ConfigurationError(f"{where}{name} must be {_words(hints[name])}, got {value!r}")


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any or origin is Literal:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        # TOML and JSON give lists.
        return isinstance(value, tuple | list) and all(_fits(part, inner[0]) for part in value)
    if hint in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if hint is float else origin or hint)


def _words(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_words(each) for each in inner)
    if origin is tuple:
        plural = {int: "whole numbers", float: "numbers", str: "texts"}
        return f"a list of {plural.get(inner[0], 'values')}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "a table of options by name"
    return _WORDS.get(hint, f"a {getattr(hint, '__name__', hint)}")
