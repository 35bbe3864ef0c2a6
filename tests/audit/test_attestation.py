"""A bundle is signed as it stands: what an auditor's word covers, and what it does not."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audit.attestation import read_audited, sign_bundle, verify_attestation
from audit.manifests import write_manifests
from audit.vault.signing.claim import Claim
from audit.vault.signing.keys import SigningKey, generate_signing_key
from audit.vault.signing.predicates import Audited, Released
from audit.vault.signing.statement import Statement, Subject, sign_statement
from audit.vault.signing.trust_store import ModelRule, TrustStore
from classifier.errors import ConfigurationError, IntegrityError
from classifier.records import sha256_file

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"
NOW = datetime.datetime(2026, 6, 15, 12, 0, 0, 999, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return generate_signing_key()


@pytest.fixture(scope="module")
def store(key: SigningKey) -> TrustStore:
    return TrustStore.of([key.public])


@pytest.fixture
def signed(tmp_path: Path, key: SigningKey) -> Path:
    """A signed copy of the bundle that the first release wrote."""
    folder = Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))
    sign_bundle(folder, key, model_id="credit", version=3, now=NOW)
    return folder


def test_a_signed_bundle_says_who_signed_it_and_what_the_audit_found(signed: Path, key: SigningKey, store: TrustStore) -> None:
    found = verify_attestation(signed, store, now=NOW, model_id="credit")
    assert found.claimed_key == key.key_id
    assert found.provenance is not None
    (vouched,) = found.provenance.statements
    assert (vouched.key_id, vouched.statement.claim) == (key.key_id, Claim("credit", 3, NOW.replace(microsecond=0)))
    manifest = sha256_file(signed / "manifest.json")
    assert vouched.statement.subjects == (
        Subject("manifest.json", manifest),
        Subject("renderings.json", sha256_file(signed / "renderings.json")),
    )
    # The golden bundle has one rule of each verdict.
    policy = sha256_file(signed / "policy.toml")
    classifier = json.loads((signed / "audit.json").read_text())["identity"]["classifier"]
    assert found.audited == Audited(manifest, ("LEARNED",), ("GROUPS",), ("PERFECT",), policy=policy, classifier=classifier)
    assert read_audited(signed) == read_audited(GOLDEN) == found.audited


def test_a_signature_changes_no_file_and_no_manifest(signed: Path) -> None:
    for path in GOLDEN.rglob("*"):
        assert path.is_dir() or (signed / path.relative_to(GOLDEN)).read_bytes() == path.read_bytes()
    assert verify_attestation(signed, None, now=NOW).bundle.files == verify_attestation(GOLDEN, None, now=NOW).bundle.files
    before = (signed / "manifest.json").read_bytes(), (signed / "renderings.json").read_bytes()
    write_manifests(signed)
    assert ((signed / "manifest.json").read_bytes(), (signed / "renderings.json").read_bytes()) == before


def test_without_a_store_nothing_is_judged_and_what_is_claimed_is_told(signed: Path, key: SigningKey) -> None:
    found = verify_attestation(signed, None, now=NOW)
    assert (found.claimed_key, found.provenance, found.audited) == (key.key_id, None, None)
    assert verify_attestation(GOLDEN, None, now=NOW).claimed_key is None


def test_a_bundle_that_is_not_signed_fails_where_a_signature_is_required(store: TrustStore) -> None:
    with pytest.raises(IntegrityError, match="is not signed, and the list of public keys requires the word of an auditor"):
        verify_attestation(GOLDEN, store, now=NOW)


def test_a_change_with_new_manifests_shows_in_the_signature(signed: Path, store: TrustStore) -> None:
    for name in ("audit.json", "run.json", "evidence/data.quality.json"):
        content = (signed / name).read_bytes()
        (signed / name).write_bytes(content + b" ")
        with pytest.raises(IntegrityError, match="was changed since the audit"):
            verify_attestation(signed, store, now=NOW)
        write_manifests(signed)
        with pytest.raises(IntegrityError, match=r"is about something else|signs other files"):
            verify_attestation(signed, store, now=NOW)
        (signed / name).write_bytes(content)
        write_manifests(signed)
    verify_attestation(signed, store, now=NOW)


def test_a_signature_of_the_record_alone_is_none_of_the_report(signed: Path, key: SigningKey, store: TrustStore) -> None:
    manifest = sha256_file(signed / "manifest.json")
    for subjects in ((Subject("manifest.json", manifest),), (Subject("manifest.json", manifest), Subject("other.json", manifest))):
        statement = Statement(subjects, Claim("credit", 3, NOW.replace(microsecond=0)), Audited(manifest))
        (signed / "attestation.dsse.json").write_bytes(sign_statement(statement, key))
        with pytest.raises(IntegrityError, match="signs other files than those of"):
            verify_attestation(signed, store, now=NOW)


def test_only_an_auditor_signs_a_bundle(signed: Path, key: SigningKey, store: TrustStore) -> None:
    trainer = replace(store, signers=(replace(store.signers[0], roles=("trainer",)),))
    with pytest.raises(IntegrityError, match="is a statement of the role 'auditor'"):
        verify_attestation(signed, trainer, now=NOW)
    manifests = {name: sha256_file(signed / name) for name in ("manifest.json", "renderings.json")}
    statement = Statement(tuple(Subject(*item) for item in manifests.items()), Claim("credit", 3, NOW.replace(microsecond=0)), Released())
    (signed / "attestation.dsse.json").write_bytes(sign_statement(statement, key))
    with pytest.raises(IntegrityError, match="lacks the word of the auditor"):
        verify_attestation(signed, store, now=NOW)


def test_the_roles_required_of_a_model_are_not_required_of_its_audit_and_the_version_is(signed: Path, store: TrustStore) -> None:
    verify_attestation(signed, replace(store, required_roles=("trainer", "releaser")), now=NOW)
    verify_attestation(signed, replace(store, models={"credit": ModelRule(3)}), now=NOW)
    with pytest.raises(IntegrityError, match="'credit' is version 3, and the list of public keys requires 4 or later"):
        verify_attestation(signed, replace(store, models={"credit": ModelRule(4)}), now=NOW)
    with pytest.raises(IntegrityError, match="is about the model 'credit', expected is 'another'"):
        verify_attestation(signed, store, now=NOW, model_id="another")


def test_a_revoked_auditor_and_a_signature_yet_to_come_count_for_nothing(signed: Path, store: TrustStore) -> None:
    with pytest.raises(IntegrityError, match=r"key was revoked \(lost\)"):
        verify_attestation(signed, replace(store, signers=(replace(store.signers[0], revoked="lost"),)), now=NOW)
    with pytest.raises(IntegrityError, match="yet to come"):
        verify_attestation(signed, store, now=NOW - datetime.timedelta(days=2))


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b"x" * (5 << 20)])
def test_an_attestation_that_is_none_is_refused_with_or_without_a_store(signed: Path, store: TrustStore, content: bytes) -> None:
    (signed / "attestation.dsse.json").write_bytes(content)
    for judge in (None, store):
        with pytest.raises(IntegrityError, match=r"attestation\.dsse\.json"):
            verify_attestation(signed, judge, now=NOW)


def test_a_bundle_that_does_not_verify_is_not_signed_and_an_earlier_signature_stays(signed: Path, key: SigningKey) -> None:
    before = (signed / "attestation.dsse.json").read_bytes()
    (signed / "extra.txt").write_text("x")
    with pytest.raises(IntegrityError, match="named in no manifest"):
        sign_bundle(signed, key, model_id="credit", version=4, now=NOW)
    with pytest.raises(IntegrityError, match="named in no manifest"):
        read_audited(signed)
    (signed / "extra.txt").unlink()
    with pytest.raises(ConfigurationError, match="version must be a positive integer"):
        sign_bundle(signed, key, model_id="credit", version=0, now=NOW)
    assert (signed / "attestation.dsse.json").read_bytes() == before
    sign_bundle(signed, key, model_id="credit", version=4, now=NOW)
    found = verify_attestation(signed, TrustStore.of([key.public]), now=NOW)
    assert found.provenance is not None
    assert found.provenance.version == 4


Change = Callable[[dict[str, list[dict[str, object]]]], object]


@pytest.mark.parametrize(
    ("change", "result"),
    [
        (lambda record: record["findings"].pop(), (("LEARNED",), ("GROUPS",), ())),
        (lambda record: record["findings"][2].update(waived_by="Ada"), (("LEARNED",), ("GROUPS", "PERFECT"), ())),
        (lambda record: record["findings"][1].update(violated=True), (("LEARNED",), (), ("GROUPS", "PERFECT"))),
        (lambda record: record["findings"][0].update(verdict="not_run"), ((), ("LEARNED", "GROUPS"), ("PERFECT",))),
        (lambda record: record["findings"].clear(), ((), (), ())),
        (
            lambda record: record["known_answers"][0].update(measured=9.0, id="an.engine"),
            (("LEARNED",), ("GROUPS",), ("PERFECT", "known answer an.engine")),
        ),
    ],
)
def test_the_result_is_what_the_findings_come_to(
    signed: Path, key: SigningKey, store: TrustStore, change: Change, result: tuple[tuple[str, ...], ...]
) -> None:
    record = json.loads((signed / "audit.json").read_text())
    change(record)
    (signed / "audit.json").write_text(json.dumps(record))
    write_manifests(signed)
    sign_bundle(signed, key, model_id="credit", version=3, now=NOW)
    audited = verify_attestation(signed, store, now=NOW).audited
    assert audited is not None
    assert (audited.passed, audited.warned, audited.failed) == result


def test_the_trust_store_that_the_record_names_is_signed(signed: Path, key: SigningKey, store: TrustStore) -> None:
    record = json.loads((signed / "audit.json").read_text())
    for trust, expected in (({"store": "ab" * 32}, "ab" * 32), ({"store": None}, None), ({}, None)):
        (signed / "audit.json").write_text(json.dumps({**record, "trust": trust}))
        write_manifests(signed)
        sign_bundle(signed, key, model_id="credit", version=3, now=NOW)
        audited = verify_attestation(signed, store, now=NOW).audited
        assert audited is not None
        assert audited.trust == read_audited(signed).trust == expected


@pytest.mark.parametrize(
    "content", ["[]", "{}", "x", '{"findings":[{}],"known_answers":[]}', '{"findings":[],"known_answers":[{"id":1}]}', "[" * 100_000]
)
def test_what_is_no_record_is_not_signed(signed: Path, key: SigningKey, content: str) -> None:
    (signed / "audit.json").write_text(content)
    write_manifests(signed)
    with pytest.raises(IntegrityError, match=r"audit\.json holds no record of an audit"):
        sign_bundle(signed, key, model_id="credit", version=3, now=NOW)


def test_a_signature_by_another_key_is_not_lost_unless_it_is_said(signed: Path, key: SigningKey) -> None:
    before = (signed / "attestation.dsse.json").read_bytes()
    other = generate_signing_key()
    with pytest.raises(ConfigurationError, match="whose word would be lost"):
        sign_bundle(signed, other, now=NOW)
    assert (signed / "attestation.dsse.json").read_bytes() == before
    sign_bundle(signed, key, model_id="credit", version=4, now=NOW)
    sign_bundle(signed, other, now=NOW, replace=True)
    assert verify_attestation(signed, TrustStore.of([other.public]), now=NOW).claimed_key == other.key_id


def test_model_and_version_are_those_of_the_record(signed: Path, key: SigningKey) -> None:
    record = json.loads((signed / "audit.json").read_text())
    (signed / "audit.json").write_text(
        json.dumps({**record, "trust": {"store": "ab" * 32, "model": "credit", "version": 7, "statements": []}})
    )
    write_manifests(signed)
    for wrong in ({"model_id": "fraud"}, {"version": 6}):
        with pytest.raises(ConfigurationError, match="is to be signed"):
            sign_bundle(signed, key, now=NOW, **wrong)  # type: ignore[arg-type]
    sign_bundle(signed, key, now=NOW)
    provenance = verify_attestation(signed, TrustStore.of([key.public]), now=NOW).provenance
    assert provenance is not None
    assert (provenance.model, provenance.version) == ("credit", 7)
    (vouched,) = provenance.statements
    assert isinstance(vouched.statement.predicate, Audited)
    assert vouched.statement.predicate.trust == "ab" * 32
