"""What other programs read of an audit: each format is one file, made of the record, and computes nothing."""

from __future__ import annotations

from audit.exports.export import Source, export_ids
from audit.exports.gate import exit_code_of
from audit.exports.record_schema import schema_of_the_record
from audit.exports.writing import choose_formats, formats_for, write_exports

__all__ = ["Source", "choose_formats", "exit_code_of", "export_ids", "formats_for", "schema_of_the_record", "write_exports"]
