"""A published copy verifies, and nothing of any row is in it."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audit import Evidence
from audit.attestation import sign_bundle, verify_attestation
from audit.bundle import save_evidence
from audit.evidence import Figure, Series, Table
from audit.manifests import verify_bundle, write_manifests
from audit.public_record import write_public
from audit.publication import publish
from audit.recomputation import Record, judge_again, recompute_numbers, require_one_record
from audit.redactions import CASES, PUBLIC, Redactions, Withheld
from audit.vault.signing.keys import SigningKey, generate_signing_key
from audit.vault.signing.trust_store import TrustStore
from classifier.errors import ConfigurationError, IntegrityError, StorageError
from classifier.records import as_record, canonical_json, sha256

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"
NOW = datetime.datetime(2026, 6, 15, 12, tzinfo=datetime.UTC)
CHECK = "explanation.attribution"
IDS, SCORES, NAME = np.array([918_273_645, 817_263_549]), np.array([0.123456789123, 0.987654321987]), "Wilhelmina Featherstonehaugh"


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return generate_signing_key()


@pytest.fixture
def bundle(tmp_path: Path, key: SigningKey) -> Path:
    """A signed bundle with one more check, of which a table, a picture, arrays and a report tell of persons."""
    folder = Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))
    cases = Table("reasons", ("name", "score"), ((NAME, float(SCORES[0])),), single=True)
    drawn = Figure("decision", "waterfall", (Series(str(IDS[0]), (0.0,), (float(SCORES[1]),)),), labels=(NAME,), single=True)
    common = Figure("importance", "intervals", (Series("importance", (0.0,), (1.0,), (1.0,), (1.0,)),), labels=("income",))
    evidence = Evidence(CHECK, tables=(cases,), figures=(drawn, common), arrays={"ids": IDS, "scores": SCORES})
    save_evidence(evidence, folder / "evidence")
    record = json.loads((folder / "audit.json").read_text())
    # What the first release wrote says of no table whether it is about single cases, and of the new one it is known.
    for other in record["evidence"]:
        for shown in (*other["tables"], *other["figures"]):
            shown["single"] = False
        (folder / "evidence" / f"{other['check']}.json").write_bytes(canonical_json(other) + b"\n")
    record["evidence"].append(json.loads((folder / "evidence" / f"{CHECK}.json").read_text()))
    (folder / "audit.json").write_bytes(canonical_json(record) + b"\n")
    for name in (
        f"figures/{CHECK}.decision.en.svg",
        "report.en.html",
        "exports/unknown.json",
        "evidence/performance.decision.safetensors.age",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{NAME} {IDS[0]}")
    (folder / "figures" / f"{CHECK}.importance.zh-CN.png").write_text("income")
    (folder / "exports" / "junit.xml").write_text("<testsuites/>")
    write_manifests(folder)
    sign_bundle(folder, key, model_id="credit", version=3, now=NOW)
    return folder


def texts_of_rows() -> Iterator[bytes]:
    for number in (*IDS.tolist(), *SCORES.tolist()):
        yield from (str(number).encode(), f"{number:.6g}".encode(), f"{number:.4f}"[2:].encode())
    yield from (array[i : i + 1].tobytes() for array in (IDS, SCORES) for i in range(2))
    yield from (NAME.encode(), NAME.split()[0].encode(), NAME.encode("utf-16-le"))


def test_no_byte_of_a_copy_tells_of_any_row(bundle: Path, tmp_path: Path) -> None:
    found = publish(bundle, tmp_path / "public")
    copied = {path.relative_to(found.folder).as_posix(): path.read_bytes() for path in found.folder.rglob("*") if path.is_file()}
    whole = b"".join(path.read_bytes() for path in bundle.rglob("*") if path.is_file())
    told = [text for text in texts_of_rows() if text in whole]
    assert len(told) > 6  # the bundle itself tells of them
    assert [(name, text) for name, content in copied.items() for text in texts_of_rows() if text in content] == []
    rows = verify_bundle(bundle).files
    withheld = {
        "audit.json", f"evidence/{CHECK}.json", f"evidence/{CHECK}.safetensors", "evidence/performance.accuracy.safetensors",
        f"figures/{CHECK}.decision.en.svg", "report.en.html", "exports/unknown.json", "evidence/performance.decision.safetensors.age",
    }  # fmt: skip
    assert {name: file.sha256 for name, file in found.redactions.withheld.items()} == {name: rows[name] for name in withheld}
    assert found.redactions.withheld["evidence/performance.decision.safetensors.age"].reason.startswith("sealed")
    assert {"exports/junit.xml", f"figures/{CHECK}.importance.zh-CN.png", "policy.toml", "audit.public.json"} <= set(copied)


def test_a_copy_verifies_with_the_signature_of_the_bundle(bundle: Path, tmp_path: Path, key: SigningKey) -> None:
    folder = publish(bundle, tmp_path / "public").folder
    for name in ("manifest.json", "renderings.json", "attestation.dsse.json"):
        assert (folder / name).read_bytes() == (bundle / name).read_bytes()
    attested = verify_attestation(folder, TrustStore.of([key.public]), now=NOW, model_id="credit")
    assert attested.audited is not None
    assert attested.audited.failed == ("PERFECT",)
    record = Record(attested.bundle)
    assert record.name == "audit.public.json"
    require_one_record(record)
    numbers, findings = recompute_numbers(record), judge_again(record)
    assert (numbers.differing, findings.differing, findings.by_policy) == ((), (), 3)
    assert numbers.agreeing > 0
    (folder / "audit.public.json").write_bytes(b"{}")
    with pytest.raises(IntegrityError, match=r"audit\.public\.json was changed"):
        verify_bundle(folder)


def test_a_file_that_is_put_back_verifies_and_another_does_not(bundle: Path, tmp_path: Path) -> None:
    folder = publish(bundle, tmp_path / "public").folder
    for name in verify_bundle(folder).withheld:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(bundle / name, folder / name)
    assert verify_bundle(folder).files == verify_bundle(bundle).files
    (folder / "report.en.html").write_text("another")
    with pytest.raises(IntegrityError, match=r"report\.en\.html was changed"):
        verify_bundle(folder)


def test_the_same_bundle_gives_the_same_copy_and_a_copy_replaces_a_copy_alone(bundle: Path, tmp_path: Path) -> None:
    folders = [publish(bundle, tmp_path / name).folder for name in ("one", "two", "one")]
    files = sorted(path.relative_to(folders[0]) for path in folders[0].rglob("*") if path.is_file())
    assert len(files) > 10
    for name in files:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    with pytest.raises(StorageError, match="holds other files"):
        publish(bundle, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "x"


def test_a_record_of_the_audits_own_without_single_cases_is_taken_and_is_signed(bundle: Path, tmp_path: Path, key: SigningKey) -> None:
    record = json.loads((bundle / "audit.json").read_text())
    (bundle / "audit.public.json").write_bytes(write_public(record))
    write_manifests(bundle)
    sign_bundle(bundle, key, model_id="credit", version=3, now=NOW)
    found = publish(bundle, tmp_path / "public")
    assert found.redactions.made == {}
    verified = verify_bundle(found.folder)
    assert verified.record in verified.files
    again = json.loads(verified.read(verified.record))
    assert again["findings"] == record["findings"]
    assert [one["metrics"] for one in again["evidence"]] == [one["metrics"] for one in record["evidence"]]
    again["findings"].pop()
    (bundle / "audit.public.json").write_bytes(canonical_json(again) + b"\n")
    write_manifests(bundle)
    with pytest.raises(IntegrityError, match=r"audit\.public\.json is not audit\.json without single cases"):
        publish(bundle, tmp_path / "another")


@pytest.mark.parametrize("added", ["timestamp.tsr", "letter.txt", "other"])
def test_a_copy_that_has_more_to_it_is_replaced_only_by_force(bundle: Path, tmp_path: Path, key: SigningKey, added: str) -> None:
    folder = publish(bundle, tmp_path / "public").folder
    if added == "other":
        (bundle / "run.json").write_text("{}")
        write_manifests(bundle)
        sign_bundle(bundle, key, model_id="credit", version=3, now=NOW)
    else:
        (folder / added).write_text("x")
    before = sorted((path, path.read_bytes()) for path in folder.rglob("*") if path.is_file())
    with pytest.raises(ConfigurationError, match="give --force"):
        publish(bundle, folder)
    assert sorted((path, path.read_bytes()) for path in folder.rglob("*") if path.is_file()) == before
    publish(bundle, folder, force=True)
    assert not (folder / added).exists()


def test_nothing_is_left_out_that_shows_no_single_case(bundle: Path, tmp_path: Path) -> None:
    found = publish(bundle, tmp_path / "public")
    name = "evidence/performance.decision.json"
    (found.folder / name).unlink()
    withheld = {**found.redactions.withheld, name: Withheld(verify_bundle(bundle).files[name], CASES)}
    (found.folder / "redactions.json").write_bytes(Redactions(withheld, found.redactions.made).to_json())
    with pytest.raises(IntegrityError, match=r"performance\.decision\.json is left out, and nothing in it shows single cases"):
        require_one_record(Record(verify_bundle(found.folder)))


def test_a_record_that_is_put_back_is_held_against_the_one_that_was_made(bundle: Path, tmp_path: Path) -> None:
    found = publish(bundle, tmp_path / "public")
    forged = json.loads((found.folder / PUBLIC).read_text()) | {"seed": 7}
    (found.folder / PUBLIC).write_bytes(canonical_json(forged) + b"\n")
    made = {PUBLIC: sha256((found.folder / PUBLIC).read_bytes())}
    (found.folder / "redactions.json").write_bytes(Redactions(found.redactions.withheld, made).to_json())
    shutil.copy(bundle / "audit.json", found.folder)
    shutil.copytree(bundle / "evidence", found.folder / "evidence", dirs_exist_ok=True)
    with pytest.raises(IntegrityError, match=r"audit\.public\.json is not audit\.json without single cases"):
        require_one_record(Record(verify_bundle(found.folder)))


def test_where_nothing_says_what_is_about_single_cases_no_table_is_published(tmp_path: Path) -> None:
    found = publish(GOLDEN, tmp_path / "public")
    record = json.loads((found.folder / "audit.public.json").read_text())
    assert not any(one["tables"] or one["figures"] for one in record["evidence"])
    assert [one["metrics"] for one in record["evidence"]] == [
        one["metrics"] for one in json.loads((GOLDEN / "audit.json").read_text())["evidence"]
    ]


def test_what_cannot_be_published_is_refused_and_nothing_is_written(bundle: Path, tmp_path: Path, key: SigningKey) -> None:
    for place in (bundle, bundle / "inside", tmp_path):
        with pytest.raises(ConfigurationError, match="lie in each other"):
            publish(bundle, place)
    folder = publish(bundle, tmp_path / "public").folder
    with pytest.raises(ConfigurationError, match="is a published copy already"):
        publish(folder, tmp_path / "again")
    with pytest.raises(ConfigurationError, match="is a published copy, whose manifests do not vouch"):
        sign_bundle(folder, key, model_id="credit", version=3, now=NOW)
    (bundle / "run.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"run\.json was changed"):
        publish(bundle, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_every_part_of_evidence_is_as_public_as_it_says() -> None:
    public = Evidence("a.b", tables=(Table("t", ("c",), ((1,),)),))
    single = Evidence("a.c", tables=(Table("t", ("c",), ((1,),), single=True),), notes=("a.note",))
    content = {"evidence": [as_record(public), as_record(single)]}
    kept, cut = json.loads(write_public(content))["evidence"]
    assert kept == as_record(public)
    assert (cut["tables"], cut["notes"]) == ([], ["a.note", "evidence.withheld"])
