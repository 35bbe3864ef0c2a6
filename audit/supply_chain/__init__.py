"""Supply chain: what comes in, looked at without loading, importing or running any of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.supply_chain.findings import Scan, ScanFinding, ScannedFile
    from audit.supply_chain.mlbom import write_bill_of_materials
    from audit.supply_chain.scanning import scan

__all__ = ["Scan", "ScanFinding", "ScannedFile", "scan", "write_bill_of_materials"]

_HOMES = {
    "Scan": "findings",
    "ScanFinding": "findings",
    "ScannedFile": "findings",
    "scan": "scanning",
    "write_bill_of_materials": "mlbom",
}


def __getattr__(name: str) -> Any:
    # The bill of materials reads records of an audit, which need torch; a scan must not pay for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"audit.supply_chain.{_HOMES[name]}"), name)
