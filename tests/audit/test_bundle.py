"""The bundle: what was written is read back, by this release and every later one, and nothing else is."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import Audit, bundle, manifests
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
    assert len(verify_bundle(GOLDEN).files) == 12
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


def test_a_file_and_a_hidden_file_that_were_added_are_named(golden: Path) -> None:
    for name in ("extra.txt", ".hidden", "evidence/more.json"):
        (golden / name).write_text("x")
        with pytest.raises(IntegrityError, match=f"{name} is named in no manifest"):
            verify_bundle(golden)
        (golden / name).unlink()


def test_a_link_is_refused_also_where_it_leads_to_what_the_manifest_names(golden: Path, tmp_path: Path) -> None:
    os.symlink("/", golden / "link")
    with pytest.raises(IntegrityError, match="link is a link; a bundle holds plain files only"):
        verify_bundle(golden)
    (golden / "link").unlink()
    for name in ("audit.json", "evidence", "manifest.json", "attestation.dsse.json"):
        if (golden / name).exists():
            (golden / name).rename(tmp_path / name)
        os.symlink(tmp_path / name, golden / name)
        with pytest.raises(IntegrityError, match=f"{name} (is a link|cannot be read)"):
            verify_bundle(golden)
        (golden / name).unlink()
        if (tmp_path / name).exists():
            (tmp_path / name).rename(golden / name)
    verify_bundle(golden)


def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(golden: Path) -> None:
    for name in ("audit.json", "manifest.json"):
        content = (golden / name).read_bytes()
        (golden / name).unlink()
        os.mkfifo(golden / name)
        with pytest.raises(IntegrityError, match=f"{name} is no plain file"):
            verify_bundle(golden)
        (golden / name).unlink()
        (golden / name).write_bytes(content)
    verify_bundle(golden)


@pytest.mark.parametrize("name", ["Audit.json", "evidence/DATA.quality.json", "MANIFEST.json", "attestation.DSSE.json", "manifest.json"])
def test_names_that_are_one_file_on_some_systems_are_refused(golden: Path, name: str) -> None:
    if not (golden / name).exists():
        (golden / name).write_text("x")
    manifest = json.loads((golden / "renderings.json").read_text())
    manifest["sha256"][name] = "0" * 64
    (golden / "renderings.json").write_text(json.dumps(manifest))
    with pytest.raises(IntegrityError, match="are one file on some systems"):
        verify_bundle(golden)


def test_two_spellings_of_one_name_are_one_file_on_some_systems(golden: Path) -> None:
    for name in ("caf\u00e9.txt", "cafe\u0301.txt"):
        (golden / name).write_text("x")
    write_manifests(golden)
    with pytest.raises(IntegrityError, match="are one file on some systems"):
        verify_bundle(golden)


def test_a_file_that_changes_while_it_is_verified_is_told(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = manifests._digest

    def meddle(name: str, content: bytes) -> None:
        def digested(folder: Path, path: str, listed: os.stat_result) -> str:
            found = digest(folder, path, listed)
            if path == "policy.toml":
                (golden / name).write_bytes(content)
            return found

        monkeypatch.setattr(manifests, "_digest", digested)

    meddle("audit.json", (golden / "audit.json").read_bytes())
    with pytest.raises(IntegrityError, match=r"audit\.json (changed while it was verified|was changed since the audit)"):
        verify_bundle(golden)
    meddle("late.txt", b"x")
    with pytest.raises(IntegrityError, match=r"late\.txt changed while it was verified"):
        verify_bundle(golden)


@pytest.mark.parametrize("link", [True, False])
def test_a_folder_that_is_another_while_its_files_are_read_is_told(
    golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: bool
) -> None:
    digest, told = manifests._digest, golden / "evidence" / "performance.accuracy.json"
    good, aside = Path(shutil.copytree(golden / "evidence", tmp_path / "good")), tmp_path / "aside"
    told.write_bytes(told.read_bytes().replace(b"0", b"1"))

    def swapped(*arguments: Any) -> str:
        (golden / "evidence").rename(aside)
        if link:
            os.symlink(good, golden / "evidence")
        else:
            good.rename(golden / "evidence")
        try:
            return digest(*arguments)
        finally:
            if link:
                (golden / "evidence").unlink()
            else:
                (golden / "evidence").rename(good)
            aside.rename(golden / "evidence")

    monkeypatch.setattr(manifests, "THREADS", 1)
    monkeypatch.setattr(manifests, "_digest", swapped)
    with pytest.raises(IntegrityError, match="changed while it was verified"):
        verify_bundle(golden)


@pytest.mark.parametrize("name", ["audit.json", "evidence/performance.accuracy.json", "evidence/performance.accuracy.safetensors"])
def test_what_is_loaded_are_the_bytes_that_were_verified(golden: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    verify = bundle.verify_bundle

    def verified_and_then_changed(folder: Path) -> manifests.VerifiedBundle:
        verified = verify(folder)
        (golden / name).write_bytes((golden / name).read_bytes().replace(b"0", b"1"))
        return verified

    monkeypatch.setattr(bundle, "verify_bundle", verified_and_then_changed)
    with pytest.raises(IntegrityError, match="was changed since it was verified"):
        Audit.load(golden)


def test_a_link_that_took_the_place_of_a_verified_file_is_not_followed(golden: Path, tmp_path: Path) -> None:
    verified = verify_bundle(golden)
    (golden / "audit.json").rename(tmp_path / "audit.json")
    os.symlink(tmp_path / "audit.json", golden / "audit.json")
    with pytest.raises(IntegrityError, match=r"audit\.json cannot be read"):
        verified.read("audit.json")


def test_only_what_a_manifest_names_is_read(golden: Path) -> None:
    verified = verify_bundle(golden)
    assert json.loads(verified.read("audit.json"))["version"] == 1
    for name in ("../bundle/audit.json", "/dev/zero", "manifest.json", "nothing"):
        with pytest.raises(IntegrityError, match="is named in no manifest"):
            verified.read(name)


def test_a_name_that_would_steer_a_terminal_is_told_without_doing_so(golden: Path) -> None:
    (golden / "a\x1b[2Jb").write_text("x")
    with pytest.raises(IntegrityError, match="is named in no manifest") as caught:
        verify_bundle(golden)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "evidence/../../x", "..\\x", "a//b", "./audit.json", "", "a/"])
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


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"version":1,"sha256":{"a":1}}',
        '{"version":1,"sha256":{"a":"0"}}',
        '{"version":1,"sha256":{},"sha256":{}}',
        '{"version":1,"sha256":{},"more":1}',
        '{"version":2,"sha256":{}}',
        '{"sha256":{}}',
        "not json",
    ],
)
def test_a_manifest_that_is_none_is_refused(golden: Path, content: str) -> None:
    (golden / "manifest.json").write_text(content)
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        verify_bundle(golden)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"manifest\.json is missing"):
        verify_bundle(tmp_path)
    with pytest.raises(IntegrityError, match=r"manifest\.json is missing"):
        Audit.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "is of version 2, and this release reads"),
        ({"an unknown field": 1}, "does not hold a Audit.*written by a newer release"),
    ],
)
def test_a_record_of_a_later_release_is_refused_and_not_half_read(golden: Path, change: dict[str, int], told: str) -> None:
    record = json.loads((golden / "audit.json").read_text())
    (golden / "audit.json").write_text(json.dumps({**record, **change}))
    write_manifests(golden)
    with pytest.raises(IntegrityError, match=rf"audit\.json {told}"):
        Audit.load(golden)
