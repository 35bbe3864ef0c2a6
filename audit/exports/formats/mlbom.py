"""The bill of materials of the classifier (CycloneDX 1.6), as the supply-chain room writes it."""

from __future__ import annotations

from typing import ClassVar

from audit.exports.export import FORMATS, Export, Source
from audit.supply_chain.checks.files import scanned_files
from audit.supply_chain.mlbom import write_bill_of_materials


@FORMATS.register
class MLBOM(Export):
    """What the classifier is made of, for who keeps a register of such."""

    file: ClassVar[str] = "mlbom.cdx.json"

    def content(self, source: Source) -> bytes:
        audit = source.audit
        licence = audit.identity.declarations.get("licence")
        return write_bill_of_materials(
            audit.identity,
            version=str(audit.trust["version"]) if "version" in audit.trust else None,
            licences=() if licence is None else (licence,),
            files=[file for evidence in audit.evidence if evidence.check == "supply_chain.files" for file in scanned_files(evidence)],
            metrics=[metric for evidence in audit.evidence if evidence.check.startswith("performance.") for metric in evidence.metrics],
            software=audit.software,
        )
