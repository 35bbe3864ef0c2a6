"""Personal identifiers in a table: what its cells look like, whether chance explains it, and what its columns are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.lazy_names import names_from

if TYPE_CHECKING:
    from audit.data.personal_identifiers.scanning import Found, scan_columns

__all__ = ["Found", "scan_columns"]

__getattr__ = names_from(__name__, {"Found": "scanning", "scan_columns": "scanning"})
