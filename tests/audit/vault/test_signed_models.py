"""Signed models open for those who trust the signer, and no forgery does."""

from __future__ import annotations

import json
import os
import shutil
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from audit.vault import (
    ALLOW_UNSIGNED,
    Identity,
    SigningKey,
    TrustStore,
    decrypt_bytes,
    encrypt_bytes,
    generate_identity,
    generate_signing_key,
    open_tensors,
    seal,
    sign,
    unseal,
)
from audit.vault.age import scrypt
from audit.vault.models.statement_files import statement_paths
from audit.vault.signing.predicates import Audited, Role
from audit.vault.signing.trust_store import ModelRule, Signer
from classifier import Classifier
from classifier.description import METADATA
from classifier.errors import ConfigurationError, UnsealError

MakeClassifier = Callable[[int], Classifier]
NAME = "credit.safetensors.age"


@pytest.fixture(scope="module")
def classifier(make_classifier: MakeClassifier) -> Classifier:
    return make_classifier(0)


@pytest.fixture(scope="module")
def auditor() -> SigningKey:
    return generate_signing_key()


@pytest.fixture
def path(classifier: Classifier, identity: Identity, trainer: SigningKey, tmp_path: Path) -> Path:
    path = tmp_path / "models" / NAME
    seal(classifier, path, recipients=[identity.recipient], signers=[trainer], version=3)
    return path


def store(*signers: tuple[SigningKey, tuple[Role, ...]], required: tuple[Role, ...] = (), **rules: ModelRule) -> TrustStore:
    entries = tuple(Signer(f"signer {i}", key.verifying, roles) for i, (key, roles) in enumerate(signers))
    return TrustStore(entries, required, rules, "00" * 32, "trust.toml")


def test_a_signed_model_opens_for_who_trusts_its_signer(
    path: Path, classifier: Classifier, identity: Identity, trainer: SigningKey
) -> None:
    for trusted in ([trainer.public], TrustStore.of([trainer.public]), store((trainer, ("trainer",)), required=("trainer",))):
        opened = unseal(path, identities=[identity], trusted=trusted, model_id="credit")
        assert opened.digest == classifier.digest
        lazy = open_tensors(path, identities=[identity], trusted=trusted)
        assert lazy.provenance is not None
        assert (lazy.provenance.model, lazy.provenance.version) == ("credit", 3)
        tensors = classifier.tensors()
        assert lazy.keys() == tensors.keys()
        assert all(torch.equal(lazy[name], tensor) for name, tensor in tensors.items())


def test_the_statements_name_nothing_that_gives_the_model_away(path: Path) -> None:
    names = {file.name.split(".")[2]: file for file in statement_paths(path)}
    assert names.keys() == {"trained", "packaged"}
    assert names["trained"].read_bytes().startswith(b"age-encryption.org/v1\n")
    clear = b64decode(json.loads(names["packaged"].read_text())["payload"]).decode()
    assert "ab" * 32 not in clear
    assert "mlp" not in clear


def test_a_statement_is_sealed_whatever_was_put_in_its_place(path: Path, identity: Identity, trainer: SigningKey) -> None:
    (file,) = [file for file in statement_paths(path) if ".trained." in file.name]
    for lure in (file.with_suffix(""), file):
        file.unlink(missing_ok=True)
        lure.write_text("{}")
        (written,) = sign(path, trainer, role="trainer", version=3, identities=[identity], recipients=[identity.recipient])
        assert written == file
        assert written.read_bytes().startswith(b"age-encryption.org/v1\n")
        assert [file for file in statement_paths(path) if ".trained." in file.name] == [written]


def test_nobody_is_trusted_unless_it_is_said(path: Path, identity: Identity, trainer: SigningKey, auditor: SigningKey) -> None:
    with pytest.raises(UnsealError, match="signed by nobody whose word is taken"):
        unseal(path, identities=[identity], trusted=[auditor.public])
    for nobody in (None, True, 1, [], ()):
        with pytest.raises(ConfigurationError):
            unseal(path, identities=[identity], trusted=nobody)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="one string"):
        TrustStore.of(trainer.public)


def test_statements_accumulate_and_none_breaks_another(
    path: Path, classifier: Classifier, identity: Identity, trainer: SigningKey, auditor: SigningKey
) -> None:
    before = {file.name: file.read_bytes() for file in statement_paths(path)}
    releaser = generate_signing_key()
    said = {"identities": [identity], "recipients": [identity.recipient], "version": 3}
    sign(path, auditor, role="auditor", audit=Audited("cd" * 32, passed=("A",), classifier=classifier.digest), **said)  # type: ignore[arg-type]
    sign(path, releaser, **said)  # type: ignore[arg-type]
    assert {file.name: file.read_bytes() for file in statement_paths(path)}.items() >= before.items()
    trusted = store(
        (trainer, ("trainer",)), (auditor, ("auditor",)), (releaser, ("releaser",)), required=("trainer", "auditor", "releaser")
    )
    assert unseal(path, identities=[identity], trusted=trusted).digest == classifier.digest
    lazy = open_tensors(path, identities=[identity], trusted=trusted)
    assert lazy.provenance is not None
    assert {vouched.statement.role for vouched in lazy.provenance.statements} == {"trainer", "auditor", "releaser"}


def test_a_trainer_who_signs_as_auditor_is_not_heard(path: Path, classifier: Classifier, identity: Identity, trainer: SigningKey) -> None:
    audit = Audited("cd" * 32, classifier=classifier.digest)
    sign(path, trainer, role="auditor", audit=audit, identities=[identity], recipients=[identity.recipient], version=3)
    with pytest.raises(UnsealError, match="lacks the word of the auditor"):
        unseal(
            path,
            identities=[identity],
            trusted=store((trainer, ("trainer",)), (generate_signing_key(), ("auditor",)), required=("auditor",)),
        )


def test_an_audit_that_found_a_rule_violated_does_not_vouch_for_a_model(
    path: Path, classifier: Classifier, identity: Identity, trainer: SigningKey, auditor: SigningKey
) -> None:
    said = {"role": "auditor", "identities": [identity], "recipients": [identity.recipient], "version": 3}
    trusted = store((trainer, ("trainer",)), (auditor, ("auditor",)), required=("auditor",))
    sign(path, auditor, audit=Audited("cd" * 32, passed=("A",), failed=("B",), classifier=classifier.digest), **said)  # type: ignore[arg-type]
    with pytest.raises(UnsealError, match="found rules violated"):
        unseal(path, identities=[identity], trusted=trusted)
    sign(path, auditor, audit=Audited("cd" * 32, passed=("A",), warned=("B",), classifier=classifier.digest), **said)  # type: ignore[arg-type]
    assert unseal(path, identities=[identity], trusted=trusted).digest == classifier.digest


def test_an_audit_of_another_classifier_is_not_signed_for_this_one(path: Path, identity: Identity, auditor: SigningKey) -> None:
    for digest in ("ef" * 32, None):
        audit = Audited("cd" * 32, passed=("A",), classifier=digest)
        with pytest.raises(ConfigurationError, match="the audit is of the classifier"):
            sign(path, auditor, role="auditor", audit=audit, identities=[identity], recipients=[identity.recipient], version=3)
    assert not [file for file in statement_paths(path) if "audited" in file.name]


def test_statements_of_another_model_do_not_count(
    path: Path, identity: Identity, trainer: SigningKey, make_classifier: MakeClassifier
) -> None:
    other = path.with_name("fraud.safetensors.age")
    seal(make_classifier(1), other, recipients=[identity.recipient], signers=[trainer])
    # The weights of one under the statements of the other, by swapping the files.
    shutil.copy(other, path)
    with pytest.raises(UnsealError, match="is about something else"):
        unseal(path, identities=[identity], trusted=[trainer.public])


def test_whole_models_that_were_swapped_are_told_by_their_id(
    path: Path, identity: Identity, trainer: SigningKey, make_classifier: MakeClassifier
) -> None:
    other = path.with_name("fraud.safetensors.age")
    seal(make_classifier(1), other, recipients=[identity.recipient], signers=[trainer])
    for file in [path, *statement_paths(path)]:
        file.unlink()
    for file in [other, *statement_paths(other)]:
        file.rename(file.with_name(file.name.replace("fraud", "credit")))
    with pytest.raises(UnsealError, match="about the model 'fraud', expected is 'credit'"):
        unseal(path, identities=[identity], trusted=[trainer.public], model_id="credit")
    with pytest.raises(UnsealError, match="was packaged as fraud"):
        unseal(path, identities=[identity], trusted=store((trainer, ("trainer", "packager")), required=("packager",)))


def test_a_package_is_about_the_sealed_bytes(path: Path, classifier: Classifier, identity: Identity, trainer: SigningKey) -> None:
    trusted = store((trainer, ("trainer", "packager")), required=("packager",))
    assert unseal(path, identities=[identity], trusted=trusted).digest == classifier.digest
    path.write_bytes(encrypt_bytes(decrypt_bytes(path.read_bytes(), identities=[identity]), recipients=[identity.recipient]))
    with pytest.raises(UnsealError, match="lacks the word of the packager"):
        unseal(path, identities=[identity], trusted=trusted)


def test_an_old_version_is_refused_by_the_store_and_by_memory(
    path: Path, identity: Identity, trainer: SigningKey, tmp_path: Path, make_classifier: MakeClassifier
) -> None:
    with pytest.raises(UnsealError, match="requires 4 or later"):
        unseal(path, identities=[identity], trusted=store((trainer, ("trainer",)), credit=ModelRule(minimum_version=4)))
    newer = tmp_path / "newer" / NAME
    seal(make_classifier(1), newer, recipients=[identity.recipient], signers=[trainer], version=4)
    unseal(path, identities=[identity], trusted=[trainer.public])
    unseal(newer, identities=[identity], trusted=[trainer.public])
    with pytest.raises(UnsealError, match="version 4 was seen before"):
        unseal(path, identities=[identity], trusted=[trainer.public])


def test_a_version_is_not_remembered_before_the_tensors_verified(
    path: Path, identity: Identity, trainer: SigningKey, tmp_path: Path, make_classifier: MakeClassifier
) -> None:
    newer = tmp_path / "newer" / NAME
    seal(make_classifier(1), newer, recipients=[identity.recipient], signers=[trainer], version=4)
    content = bytearray(decrypt_bytes(newer.read_bytes(), identities=[identity]))
    content[-1] ^= 1
    newer.write_bytes(encrypt_bytes(bytes(content), recipients=[identity.recipient]))
    with pytest.raises(UnsealError):
        unseal(newer, identities=[identity], trusted=[trainer.public])
    unseal(path, identities=[identity], trusted=[trainer.public])


def test_a_revoked_signer_counts_for_nothing(path: Path, identity: Identity, trainer: SigningKey) -> None:
    trusted = store((trainer, ("trainer",)))
    trusted = replace(trusted, signers=(replace(trusted.signers[0], revoked="stolen"),))
    with pytest.raises(UnsealError, match="was revoked"):
        unseal(path, identities=[identity], trusted=trusted)


@pytest.mark.parametrize("kind", ["trained", "packaged"])
def test_a_statement_with_a_changed_byte_is_ignored_and_told(kind: str, path: Path, identity: Identity, trainer: SigningKey) -> None:
    (file,) = [file for file in statement_paths(path) if kind in file.name]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    trusted = store((trainer, ("trainer", "packager")), required=("trainer", "packager"))
    with pytest.raises(UnsealError, match=r"nobody whose word is taken|lacks the word of the packager"):
        unseal(path, identities=[identity], trusted=trusted)


def test_a_statement_that_is_a_flood_a_folder_or_another_file_is_no_statement(
    path: Path, classifier: Classifier, identity: Identity, trainer: SigningKey
) -> None:
    path.with_name("credit.safetensors.released.00000000.dsse.json.age").write_bytes(bytes(6 << 20))
    path.with_name("credit.safetensors.released.00000001.dsse.json.age").mkdir()
    path.with_name("credit.safetensors.released.00000002.dsse.json.age").symlink_to("/dev/null")
    os.mkfifo(path.with_name("credit.safetensors.released.00000004.dsse.json.age"))
    os.mkfifo(path.with_name("credit.safetensors.packaged.00000005.dsse.json"))
    path.with_name("credit.safetensors.released.00000003.dsse.json").write_text("{}")
    assert unseal(path, identities=[identity], trusted=[trainer.public]).digest == classifier.digest
    for i in range(70):
        path.with_name(f"credit.safetensors.audited.{i:08x}.dsse.json").write_text("{}")
    with pytest.raises(UnsealError, match="statements lie beside"):
        unseal(path, identities=[identity], trusted=[trainer.public])


def test_a_model_that_an_earlier_release_sealed_is_opened_unsigned_and_not_signed(
    classifier: Classifier, identity: Identity, trainer: SigningKey, tmp_path: Path
) -> None:
    path = tmp_path / "old.age"
    path.write_bytes(encrypt_bytes(save(classifier.tensors(), {METADATA: classifier.described()}), recipients=[identity.recipient]))
    assert unseal(path, identities=[identity], trusted=ALLOW_UNSIGNED).digest == classifier.digest
    with pytest.raises(UnsealError, match="sealed without digests"):
        unseal(path, identities=[identity], trusted=[trainer.public])
    with pytest.raises(UnsealError, match="sealed without digests"):
        sign(path, trainer, identities=[identity], recipients=[identity.recipient])


def test_a_model_with_a_changed_tensor_is_not_signed(path: Path, identity: Identity, auditor: SigningKey) -> None:
    content = bytearray(decrypt_bytes(path.read_bytes(), identities=[identity]))
    content[-1] ^= 1
    path.write_bytes(encrypt_bytes(bytes(content), recipients=[identity.recipient]))
    with pytest.raises(UnsealError, match="other numbers"):
        sign(path, auditor, identities=[identity], recipients=[identity.recipient])
    assert not [file for file in statement_paths(path) if "released" in file.name]


def test_a_passphrase_seals_model_and_statements(
    classifier: Classifier, trainer: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrypt, "WRITTEN", 4)
    path = tmp_path / NAME
    seal(classifier, path, passphrase="correct horse", signers=[trainer])
    assert unseal(path, passphrase="correct horse", trusted=[trainer.public]).digest == classifier.digest
    with pytest.raises(UnsealError):
        unseal(path, passphrase="wrong horse", trusted=[trainer.public])


def test_a_model_asks_for_no_more_than_is_allowed_of_its_passphrase(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrypt, "WRITTEN", 4)
    path = tmp_path / NAME
    seal(classifier, path, passphrase="correct horse")
    said = {"passphrase": "correct horse", "trusted": ALLOW_UNSIGNED}
    assert unseal(path, highest_work_factor=4, **said).digest == classifier.digest  # type: ignore[arg-type]
    for opening in (unseal, open_tensors):
        with pytest.raises(UnsealError):
            opening(path, highest_work_factor=3, **said)  # type: ignore[operator]


def test_a_wrong_version_or_id_is_refused_before_anything_is_written(classifier: Classifier, trainer: SigningKey, tmp_path: Path) -> None:
    for wrong in ({"version": 0}, {"model_id": ""}, {"model_id": "a\nb"}):
        with pytest.raises(ConfigurationError):
            seal(classifier, tmp_path / NAME, signers=[trainer], recipients=[generate_identity().recipient], **wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
