"""A bill of materials of a model: CycloneDX 1.6 (ECMA-424), written as canonical JSON.

The library of CycloneDX knows no model cards, so the document is put together here; the tests hold it against that
library's schema.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from audit.supply_chain.findings import ScannedFile
from classifier.metric import Metric
from classifier.records import canonical_json

if TYPE_CHECKING:
    from audit.bundle import Identity

SPECIFICATION = "1.6"
# Names the serial numbers of bills that are made of the same content.
_NAMESPACE = uuid.UUID("5f3ad9d8-8a0b-5c0e-9f0c-0c6a7c1e2b44")


def write_bill_of_materials(
    identity: Identity,
    *,
    version: str | None = None,
    licences: Sequence[str] = (),
    files: Sequence[ScannedFile] = (),
    metrics: Sequence[Metric] = (),
    software: Mapping[str, str] | None = None,
    timestamp: str | None = None,
) -> bytes:
    """The bill of an audited model: what it is, what it learned from, which files it came in, and how it did.

    Args:
        identity: What was audited.
        version: Version of the model, if it has one.
        licences: SPDX identifiers, or names, as they were declared; nobody checked them.
        files: What a scan found of the files that it came in.
        metrics: Measured numbers that belong on a model card; those without a value are left out.
        software: Versions that it needs.
        timestamp: When it was made (RFC 3339). Left out by default, so that the same audit gives the same bytes.

    Returns:
        Canonical JSON. The serial number is made of the content.
    """
    model_reference = f"model:{identity.classifier or identity.name}"
    datasets = [_dataset(part, digest, identity) for part, digest in sorted(identity.data.items())]
    libraries = [_library(name, release) for name, release in sorted((software or {}).items()) if name != "python"]
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {"component": _model(identity, model_reference, version, licences, metrics, datasets, files)},
        "components": [*datasets, *libraries],
        "dependencies": [
            {"ref": model_reference, "dependsOn": sorted(str(part["bom-ref"]) for part in (*datasets, *libraries))},
        ],
    }
    if timestamp is not None:
        document["metadata"]["timestamp"] = timestamp
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, canonical_json(document).decode())}"
    return canonical_json(document) + b"\n"


def _model(
    identity: Identity,
    reference: str,
    version: str | None,
    licences: Sequence[str],
    metrics: Sequence[Metric],
    datasets: Sequence[Mapping[str, Any]],
    files: Sequence[ScannedFile],
) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": reference,
        "name": identity.name,
        "modelCard": _card(identity, metrics, datasets),
        "properties": [
            {"name": "assay:digest", "value": identity.classifier or "predictions only"},
            {"name": "assay:independence", "value": identity.independence},
        ],
    }
    if version is not None:
        component["version"] = version
    if licences:
        component["licenses"] = [{"license": {"name": licence}} for licence in licences]
    if files:
        component["components"] = [_file(file) for file in files]
    return component


def _card(identity: Identity, metrics: Sequence[Metric], datasets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    learned = [{"ref": part["bom-ref"]} for part in datasets if part["name"] in ("training", "validation")]
    parameters: dict[str, Any] = {
        "task": "classification",
        "modelArchitecture": identity.architecture,
        "inputs": [{"format": f"{identity.features} features"}],
        "outputs": [{"format": f"probabilities of {', '.join(identity.classes)}"}],
    }
    if learned:
        parameters["approach"] = {"type": "supervised"}
        parameters["datasets"] = learned
    card: dict[str, Any] = {"modelParameters": parameters}
    measured = [_performance(metric) for metric in metrics if metric.value is not None]
    if measured:
        card["quantitativeAnalysis"] = {"performanceMetrics": measured}
    use = identity.declarations.get("intended_use")
    if use:
        card["considerations"] = {"useCases": [use]}
    return card


def _performance(metric: Metric) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": metric.name, "value": f"{metric.value}"}
    if metric.low is not None and metric.high is not None and metric.interval != "exact":
        entry["confidenceInterval"] = {"lowerBound": f"{metric.low}", "upperBound": f"{metric.high}"}
    where = ", ".join(f"{key}={value}" for key, value in sorted(metric.where.items()))
    return {**entry, "slice": where} if where else entry


def _dataset(part: str, digest: str, identity: Identity) -> dict[str, Any]:
    source = identity.source.get("name") or identity.source.get("path")
    contents = {"contents": {"properties": [{"name": "rows", "value": str(identity.rows.get(part, 0))}]}}
    return {
        "type": "data",
        "bom-ref": f"data:{part}",
        "name": part,
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "data": [{"type": "dataset", "name": part, **contents}],
        **({"description": f"the {part} rows of {source}"} if source else {}),
    }


def _library(name: str, release: str) -> dict[str, Any]:
    # The local part of a release, "2.13.0+cpu", has a sign that a package URL must escape.
    url = f"pkg:pypi/{name}@{quote(release, safe='')}"
    return {"type": "library", "bom-ref": url, "name": name, "version": release, "purl": url}


def _file(file: ScannedFile) -> dict[str, Any]:
    hashes = {"hashes": [{"alg": "SHA-256", "content": file.sha256}]} if file.sha256 is not None else {}
    return {"type": "file", "bom-ref": f"file:{file.name}", "name": file.name, **hashes}
