"""The JSON Schema of the record, beside the record that it describes."""

from __future__ import annotations

from typing import ClassVar

from audit.exports.export import FORMATS, Export, Source
from audit.exports.record_schema import encoded_schema


@FORMATS.register
class RecordSchema(Export):
    """The record is JSON as it is, ``audit.json``: what a program that reads it lacks is its schema."""

    file: ClassVar[str] = "audit.schema.json"

    def content(self, source: Source) -> bytes:
        return encoded_schema()
