"""The schema of a record: JSON Schema 2020-12 of ``audit.json``, made of the dataclasses that it is written from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audit.bundle import Audit
from classifier.records import canonical_json, write_atomically

IDENTIFIER = "urn:assay:schema:audit:1"
#: Where it is published in the source tree.
PUBLISHED = Path(__file__).with_name("audit.schema.json")


def schema_of_the_record() -> dict[str, Any]:
    """What ``audit.json`` must look like; ``#/$defs/Evidence`` is what each file of the evidence must."""
    from pydantic import TypeAdapter

    schema: dict[str, Any] = TypeAdapter(Audit).json_schema()
    for form in (schema, *schema["$defs"].values()):
        # A reader of this release refuses what it does not know, and so does the schema.
        form["additionalProperties"] = False
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": IDENTIFIER}
    return head | schema


def publish_schema(path: Path = PUBLISHED) -> None:
    """Write the schema where it is published; a test tells when that is due."""
    write_atomically(path, encoded_schema())


def encoded_schema() -> bytes:
    """The schema as a file."""
    return canonical_json(schema_of_the_record()) + b"\n"
