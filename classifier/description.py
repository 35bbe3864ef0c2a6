"""What a classifier says of itself, and the digest that tells it from every other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from classifier.calibration import Calibration
from classifier.records import digest
from classifier.schema import Schema

#: Where the metadata of a file of tensors keep the description.
METADATA = "assay"


@dataclass(frozen=True)
class Description:
    """What a saved classifier says of itself, beside its weights.

    Args:
        schema: What the inputs mean.
        classes: Name of each class.
        architecture: Id in the registry of architectures; ``None`` for a module of one's own.
        options: Options of the architecture.
        card: What is told of it: training record, intended use. Not part of the digest.
        calibration: What is done with the network's logits; ``None`` leaves them.
        version: Version of this record.
    """

    schema: Schema
    classes: tuple[str, ...]
    architecture: str | None
    options: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if self.calibration is not None:
            self.calibration.require(len(self.classes))


def described_digest(document: Mapping[str, Any], tensors: Mapping[str, list[Any]], *, origin: str = "") -> str:
    """The digest of a classifier, from its description as a record and the fingerprint of each tensor; see `Classifier.digest`."""
    content = {key: document[key] for key in ("schema", "classes", "architecture", "options")}
    # One without a calibration keeps the digest of earlier releases.
    content |= {"calibration": document["calibration"]} if document["calibration"] else {}
    return digest({**content, "tensors": tensors, "origin": origin})
