"""The schema of the record: what is published is what the dataclasses say, and every record keeps to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.exports import Source, schema_of_the_record
from audit.exports.record_schema import PUBLISHED, encoded_schema, publish_schema
from classifier.records import as_record, canonical_json

GOLDEN = Path(__file__).parents[2] / "golden" / "bundle-v1"
jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft202012Validator(schema_of_the_record())


def test_the_published_schema_is_that_of_this_release(tmp_path: Path) -> None:
    publish_schema(tmp_path / "schema.json")
    assert (tmp_path / "schema.json").read_bytes() == encoded_schema()
    assert PUBLISHED.read_bytes() == encoded_schema(), (
        'the record has changed: python -c "from audit.exports.record_schema import publish_schema; publish_schema()"'
    )


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of_the_record())


def test_the_record_of_a_released_bundle_keeps_to_it(validator: Any) -> None:
    assert [error.message for error in validator.iter_errors(json.loads((GOLDEN / "audit.json").read_text(encoding="utf-8")))] == []


def test_so_does_the_evidence_of_each_check() -> None:
    schema = schema_of_the_record()
    evidence = jsonschema.Draft202012Validator({"$ref": "#/$defs/Evidence", "$defs": schema["$defs"]})
    files = sorted((GOLDEN / "evidence").glob("*.json"))
    assert len(files) >= 8
    for file in files:
        assert [error.message for error in evidence.iter_errors(json.loads(file.read_text(encoding="utf-8")))] == [], file


def test_a_record_with_every_kind_of_finding_keeps_to_it(source: Source, validator: Any) -> None:
    record = json.loads(canonical_json(as_record(replace(source.audit, evidence=()))))
    assert [error.message for error in validator.iter_errors(record)] == []


@pytest.mark.parametrize(
    "broken",
    [
        lambda record: record.pop("identity"),
        lambda record: record.update(version=2),
        lambda record: record.update(surprise=1),
        lambda record: record["findings"][0].update(verdict="certified"),
        lambda record: record["evidence"][0].update(surprise=1),
    ],
)
def test_what_a_reader_would_refuse_the_schema_refuses(validator: Any, broken: Any) -> None:
    record = json.loads((GOLDEN / "audit.json").read_text(encoding="utf-8"))
    broken(record)
    assert not validator.is_valid(record)
