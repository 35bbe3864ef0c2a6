"""The check of files, the known answers, and the bill of materials."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from audit import Audit, Subject, run
from audit.configuration import Configuration
from audit.supply_chain import scan, write_bill_of_materials
from audit.supply_chain.checks.files import Files, scanned_files
from audit.supply_chain.known_answers import measure_known_answers
from classifier import Dataset
from classifier.errors import ConfigurationError
from classifier.seeds import Seed

GOLDEN = Path(__file__).parents[2] / "golden" / "bundle-v1"


@pytest.fixture
def subject(german_credit: Dataset) -> Subject:
    return Subject(german_credit, predictions=torch.full((len(german_credit), 2), 0.5))


def test_the_check_counts_what_a_scan_finds(subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    (tmp_path / "b.age").write_bytes(b"age-encryption.org/v1\n")
    evidence = Files().measure(replace(subject, files=(tmp_path,)), Seed(0))
    found = scan(tmp_path)
    for severity, count in found.count().items():
        assert evidence.metric("supply_chain.findings", severity=severity).value == count
    assert evidence.metric("supply_chain.files").value == 2
    assert evidence.metric("supply_chain.files_not_looked_into").value == 1
    findings, files = evidence.tables
    assert findings.rows[0][:3] == ("high", "a.pkl, byte 0", "pickle.global")
    assert [row[0] for row in files.rows] == ["a.pkl", "b.age"]


def test_files_of_one_name_stay_apart_and_the_bill_states_what_was_scanned(subject: Subject, tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "w.bin").write_bytes(folder.encode() * 40)
    (tmp_path / "y" / "m.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    paths = (tmp_path / "x" / "w.bin", tmp_path / "y" / "w.bin", tmp_path / "y" / "m.pkl", tmp_path / "y" / "m.pkl")
    evidence = Files().measure(replace(subject, files=paths), Seed(0))
    findings, _ = evidence.tables
    assert findings.rows[0][1] == "y/m.pkl, byte 0"
    files = scanned_files(evidence)
    (tmp_path / "x" / "w.bin").write_bytes(b"changed since")
    assert [(file.name, file.size) for file in files] == [("x/w.bin", 40), ("y/m.pkl", 26), ("y/w.bin", 40)]
    document = json.loads(write_bill_of_materials(Audit.load(GOLDEN).identity, files=files))
    parts = document["metadata"]["component"]["components"]
    assert {part["bom-ref"]: part["hashes"][0]["content"] for part in parts} == {f"file:{file.name}": file.sha256 for file in files}


def test_without_files_nothing_is_measured(subject: Subject) -> None:
    evidence = run(subject, only=("supply_chain",), progress=False)["supply_chain.files"]
    assert evidence.not_run == "the classifier came in no file"


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 1, got 0"):
        Files(limit=0)


def test_the_files_of_a_brought_model_are_scanned(tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text(
        '[audit]\nname = "x"\n[data]\npath = "x.csv"\ntarget = "y"\n[model]\npython = "m:f"\nweights = "w.safetensors"\n'
    )
    model = Configuration.read(tmp_path / "audit.toml").model
    assert model.files(tmp_path) == (tmp_path / "w.safetensors",)


def test_the_known_answers_hold() -> None:
    for answer in measure_known_answers(Seed(3)):
        assert answer.holds, answer


@pytest.fixture
def bill() -> bytes:
    audit = Audit.load(GOLDEN)
    metrics = [metric for evidence in audit.evidence for metric in evidence.metrics]
    files = scan(GOLDEN).files
    return write_bill_of_materials(
        audit.identity, version="1.2", licences=("Apache-2.0",), files=files, metrics=metrics, software=audit.software
    )


def test_the_bill_says_what_the_audit_knows(bill: bytes) -> None:
    audit, document = Audit.load(GOLDEN), json.loads(bill)
    model = document["metadata"]["component"]
    assert (document["bomFormat"], document["specVersion"], model["type"]) == ("CycloneDX", "1.6", "machine-learning-model")
    assert model["name"] == audit.identity.name
    assert {part["name"]: part["hashes"][0]["content"] for part in document["components"] if part["type"] == "data"} == audit.identity.data
    digests = {file.name: file.sha256 for file in scan(GOLDEN).files}
    assert {part["name"]: part["hashes"][0]["content"] for part in model["components"]} == digests
    references = [model["bom-ref"], *(part["bom-ref"] for part in (*document["components"], *model["components"]))]
    assert len(references) == len(set(references))
    assert set(document["dependencies"][0]["dependsOn"]) <= set(references)


def test_the_same_audit_gives_the_same_bill(bill: bytes) -> None:
    assert b"timestamp" not in bill
    identity = Audit.load(GOLDEN).identity
    assert write_bill_of_materials(identity) == write_bill_of_materials(identity)
    one, other = (json.loads(write_bill_of_materials(identity, version=version)) for version in ("1", "2"))
    assert one["serialNumber"] != other["serialNumber"]


def test_the_bill_is_valid_by_the_schema_of_cyclonedx(bill: bytes) -> None:
    pytest.importorskip("cyclonedx.validation.json")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    timed = write_bill_of_materials(Audit.load(GOLDEN).identity, timestamp="2026-01-01T00:00:00Z")
    for document in (bill, timed):
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document.decode()) is None
