"""Explains a classifier: which parts of an input moved its output, by how much, and how exact that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explain.attributing import attribute
    from explain.availability import available
    from explain.explanation import Explanation

__all__ = ["Explanation", "attribute", "available"]

_HOMES = {"Explanation": "explanation", "attribute": "attributing", "available": "availability"}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import; a program that only lists what there is must not pay for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"explain.{_HOMES[name]}"), name)
