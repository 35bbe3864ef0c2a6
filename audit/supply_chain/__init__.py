"""Supply chain: what comes in, looked at without loading, importing or running any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.lazy_names import names_from

if TYPE_CHECKING:
    from audit.supply_chain.findings import Scan, ScanFinding, ScannedFile
    from audit.supply_chain.mlbom import write_bill_of_materials
    from audit.supply_chain.scanning import scan, scan_together

__all__ = ["Scan", "ScanFinding", "ScannedFile", "scan", "scan_together", "write_bill_of_materials"]

_HOMES = {
    "Scan": "findings",
    "ScanFinding": "findings",
    "ScannedFile": "findings",
    "scan": "scanning",
    "scan_together": "scanning",
    "write_bill_of_materials": "mlbom",
}

__getattr__ = names_from(__name__, _HOMES)
