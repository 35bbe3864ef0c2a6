"""Personal identifiers in a table: what its cells look like, whether chance explains it, and what its columns are called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.data.personal_identifiers.scanning import Found, scan_columns

__all__ = ["Found", "scan_columns"]


def __getattr__(name: str) -> Any:
    # pandas takes a second to import; the command line answers without it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("audit.data.personal_identifiers.scanning"), name)
