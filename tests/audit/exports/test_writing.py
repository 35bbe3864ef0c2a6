"""Writing exports: the same bytes every time, all or none, and nothing that the record does not hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from audit.exports import Source, choose_formats, export_ids, formats_for, write_exports
from audit.exports.export import export_type
from classifier.errors import ConfigurationError, StorageError

FILES = {
    "badge": "badge.svg",
    "json": "audit.schema.json",
    "junit": "junit.xml",
    "mlbom": "mlbom.cdx.json",
    "model-card": "model-card.md",
    "oscal": "oscal-assessment-results.json",
    "sarif": "results.sarif",
}


def write(source: Source, folder: Path, formats: tuple[str, ...] | None = None) -> tuple[Path, ...]:
    return write_exports(
        source.audit, folder, export_ids() if formats is None else formats, policy_text=source.policy_text, started=source.started
    )


def test_each_format_has_its_id_and_its_file(source: Source, tmp_path: Path) -> None:
    assert {path.name for path in write(source, tmp_path)} == set(FILES.values())
    assert {identifier: export_type(identifier).file for identifier in export_ids()} == FILES


@pytest.mark.parametrize("name", ["hostile", "golden"])
def test_the_same_record_gives_the_same_bytes(sources: dict[str, Source], tmp_path: Path, name: str) -> None:
    first, second = write(sources[name], tmp_path / "a"), write(sources[name], tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_record_in_memory_gives_the_bytes_of_the_one_that_was_saved(sources: dict[str, Source], tmp_path: Path) -> None:
    source = sources["golden"]
    assert any(evidence.arrays for evidence in source.audit.evidence)
    saved = replace(source, audit=replace(source.audit, evidence=tuple(replace(e, arrays={}) for e in source.audit.evidence)))
    first, second = write(source, tmp_path / "a"), write(saved, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(("name", "left_out"), [("hostile", set()), ("unjudged", {"oscal"})])
def test_the_formats_for_an_audit_are_those_that_can_be_made_of_it(
    sources: dict[str, Source], tmp_path: Path, name: str, left_out: set[str]
) -> None:
    formats = formats_for(sources[name].audit)
    assert set(export_ids()) - set(formats) == left_out
    assert len(write(sources[name], tmp_path, formats)) == len(formats)


def test_files_come_in_the_order_asked_and_each_once(source: Source, tmp_path: Path) -> None:
    assert [path.name for path in write(source, tmp_path, ("sarif", "junit", "sarif"))] == ["results.sarif", "junit.xml"]


def test_formats_may_be_asked_for_with_commas() -> None:
    assert choose_formats(["junit, sarif", "badge"]) == ("junit", "sarif", "badge")


@pytest.mark.parametrize(("asked", "remedy"), [("junti", "junit"), ("model_card", "model-card"), ("", "badge"), ("junit,,sarif", "badge")])
def test_an_unknown_format_is_refused_with_the_nearest(source: Source, tmp_path: Path, asked: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no export format") as caught:
        write(source, tmp_path / "out", ("badge", asked))
    assert remedy in caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_where_one_format_cannot_be_made(source: Source, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="oscal asks when"):
        write(replace(source, started=None), tmp_path / "out", ("junit", "oscal"))
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way_of_the_folder_is_told(source: Source, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    with pytest.raises(StorageError, match="a file is in the way of the folder"):
        write(source, tmp_path / "out")


@pytest.mark.parametrize("identifier", ["junit", "sarif", "oscal"])
def test_a_hazard_and_a_requirement_can_be_followed_into_each_format_of_findings(source: Source, tmp_path: Path, identifier: str) -> None:
    (path,) = write(source, tmp_path, (identifier,))
    assert [path.read_text(encoding="utf-8").count(traced) for traced in ("HAZ-3", "REQ-7")] == [1, 1]


@pytest.mark.parametrize("word", ["compliant", "certified"])
def test_no_export_calls_a_measured_limit_by_a_word_that_promises_more(sources: dict[str, Source], tmp_path: Path, word: str) -> None:
    for path in write(sources["golden"], tmp_path, tuple(set(export_ids()) - {"json"})):
        assert word not in path.read_text(encoding="utf-8").lower()


@pytest.mark.parametrize("name", ["hostile", "golden"])
def test_the_bill_of_materials_is_valid_by_the_schema_of_cyclonedx(sources: dict[str, Source], tmp_path: Path, name: str) -> None:
    pytest.importorskip("cyclonedx.validation.json")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    (path,) = write(sources[name], tmp_path, ("mlbom",))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text(encoding="utf-8")) is None


def test_the_numbers_of_sarif_are_those_of_the_record(sources: dict[str, Source], tmp_path: Path) -> None:
    source = sources["golden"]
    (path,) = write(source, tmp_path, ("sarif",))
    results = json.loads(path.read_text(encoding="utf-8"))["runs"][0]["results"]
    for result, finding in zip(results, source.audit.findings, strict=True):
        metric = finding.metric
        assert metric is not None
        assert [result["properties"][key] for key in ("value", "low", "high", "n")] == [metric.value, metric.low, metric.high, metric.n]
