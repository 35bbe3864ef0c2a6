"""The bundle: what was written is read back, by this release and every later one, and nothing else is."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from audit import Audit
from audit.bundle import load_evidence, save_evidence, verify_bundle, write_manifests
from audit.evidence import Evidence, Figure, Series, Table
from classifier.errors import IntegrityError
from classifier.metric import Metric

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """A copy of the bundle that the first release wrote."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))


def test_this_release_reads_the_bundle_of_version_1() -> None:
    assert verify_bundle(GOLDEN) >= 5
    audit = Audit.load(GOLDEN)
    assert audit.version == 1
    assert audit.identity.name == "golden"
    assert audit.identity.classes == ("good", "bad")
    assert {finding.rule: finding.verdict for finding in audit.findings} == {"LEARNED": "pass", "GROUPS": "inconclusive", "PERFECT": "fail"}
    assert audit.exit_code == 1
    accuracy = audit["performance.accuracy"]
    assert accuracy.metric("performance.accuracy").n == len(accuracy.arrays["labels"]) == accuracy.parameters["resamples"] * 2
    hits = (accuracy.arrays["probabilities"][:, 1] >= 0.5) == (accuracy.arrays["labels"] == 1)
    assert accuracy.metric("performance.accuracy").value == pytest.approx(hits.mean(), abs=1e-12)
    assert audit["fairness.groups"].metric("fairness.equal_opportunity_difference").bound == "estimate"
    assert audit["robustness.attack"].not_run == "the classifier is a black box, and this needs gradients"
    assert all(answer.holds for answer in audit.known_answers)
    frame = audit.to_frame()
    assert len(frame) == sum(len(evidence.metrics) for evidence in audit.evidence)
    assert frame.loc[frame["check"] == "robustness.attack", "reason"].nunique() == 1


def test_evidence_is_written_and_read_without_loss(tmp_path: Path) -> None:
    evidence = Evidence(
        check="room.check",
        metrics=(
            Metric("room.value", 0.1 + 0.2, -1e-300, 1e300, 7, where={"eps": 0.1, "group": "a", "count": 3}, bound="upper", unit="DM"),
            Metric.missing("room.other", "too few", n=2),
        ),
        tables=(Table("t", ("a", "b"), (("x", 1), (None, 0.5))),),
        figures=(Figure("f", "lines", (Series("s", (0.0, 1.0), (2.0, 3.0)),), labels=("é",), marks={"m": 1.0}, words={"n": 3}),),
        parameters={"eps": [0.1], "nothing": None, "nested": {"数": True}},
        seed=2**63 - 1,
        notes=("a.b",),
        arrays={"matrix": np.arange(6.0).reshape(2, 3).T, "flags": np.array([True, False]), "ids": np.array([1], dtype=np.int64)},
    )
    save_evidence(evidence, tmp_path)
    again = load_evidence(tmp_path, "room.check")
    assert {**vars(again), "arrays": None} == {**vars(evidence), "arrays": None}
    for name, array in evidence.arrays.items():
        assert again.arrays[name].dtype == array.dtype
        assert np.array_equal(again.arrays[name], array)


def test_every_file_of_a_bundle_is_covered_to_the_bit(golden: Path) -> None:
    for path in sorted(golden.rglob("*")):
        if path.is_dir() or path.name in ("manifest.json", "renderings.json"):
            continue
        content = path.read_bytes()
        path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        with pytest.raises(IntegrityError, match=f"{path.name} was changed since the audit"):
            verify_bundle(golden)
        path.unlink()
        with pytest.raises(IntegrityError, match=f"{path.name} is missing"):
            verify_bundle(golden)
        path.write_bytes(content)
    verify_bundle(golden)


def test_a_file_a_hidden_file_and_a_link_that_were_added_are_named(golden: Path) -> None:
    for name in ("extra.txt", ".hidden", "evidence/more.json"):
        (golden / name).write_text("x")
        with pytest.raises(IntegrityError, match=f"{name} is named in no manifest"):
            verify_bundle(golden)
        (golden / name).unlink()
    os.symlink("/", golden / "link")
    with pytest.raises(IntegrityError, match="link is named in no manifest"):
        verify_bundle(golden)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "evidence/../../x"])
def test_a_manifest_that_names_a_file_outside_the_bundle_is_refused(golden: Path, name: str) -> None:
    manifest = json.loads((golden / "manifest.json").read_text())
    manifest["sha256"][name] = "0" * 64
    (golden / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(IntegrityError, match="names a file outside the bundle"):
        verify_bundle(golden)


def test_the_second_manifest_cannot_speak_for_a_file_of_the_record(golden: Path) -> None:
    record = golden / "audit.json"
    record.write_bytes(record.read_bytes().replace(b'"fail"', b'"pass"'))
    renderings = json.loads((golden / "renderings.json").read_text())
    write_manifests(golden)
    renderings["sha256"]["audit.json"] = json.loads((golden / "manifest.json").read_text())["sha256"]["audit.json"]
    shutil.copy(GOLDEN / "manifest.json", golden / "manifest.json")
    (golden / "renderings.json").write_text(json.dumps(renderings))
    with pytest.raises(IntegrityError, match=r"audit\.json is named in two manifests"):
        verify_bundle(golden)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version":1,"sha256":{"a":1}}', "not json"])
def test_a_manifest_that_is_none_is_refused(golden: Path, content: str) -> None:
    (golden / "manifest.json").write_text(content)
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        verify_bundle(golden)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"manifest\.json is missing"):
        verify_bundle(tmp_path)
    with pytest.raises(IntegrityError, match=r"manifest\.json is missing"):
        Audit.load(tmp_path / "nowhere")


@pytest.mark.parametrize("change", [{"version": 2}, {"an unknown field": 1}])
def test_a_record_of_a_later_release_is_refused_and_not_half_read(golden: Path, change: dict[str, int]) -> None:
    record = json.loads((golden / "audit.json").read_text())
    (golden / "audit.json").write_text(json.dumps({**record, **change}))
    write_manifests(golden)
    with pytest.raises(IntegrityError, match=r"audit\.json does not hold a Audit.*written by a newer release"):
        Audit.load(golden)
