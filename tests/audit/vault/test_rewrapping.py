"""A sealed file gets other recipients, with all that lies beside it, or stays as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import audit.vault.rewrapping as rewrapping
from audit.vault import (
    Identity,
    SigningKey,
    TrustStore,
    decrypt_bytes,
    encrypt_bytes,
    generate_identity,
    generate_signing_key,
    open_tensors,
    rewrap,
    seal_model_file,
    sign,
)
from audit.vault.age import scrypt
from audit.vault.models.statement_files import statement_paths
from audit.vault.signing.trust_store import Signer
from classifier.errors import ConfigurationError, StorageError, UnsealError

PLAIN = os.urandom(200_000)
OTHER = generate_identity()
CLASSICAL = generate_identity("x25519")


@pytest.fixture(autouse=True)
def _quick_passphrases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(scrypt, "WRITTEN", 4)
    return


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return generate_signing_key()


@pytest.fixture(params=[False, True], ids=["binary", "armoured"])
def path(request: pytest.FixtureRequest, identity: Identity, tmp_path: Path) -> Path:
    path = tmp_path / "files" / "data.csv.age"
    path.parent.mkdir()
    path.write_bytes(encrypt_bytes(PLAIN, recipients=[identity.recipient], armor=request.param))
    return path


@pytest.mark.parametrize("reencrypt", [False, True])
def test_the_new_recipients_open_it_and_the_old_ones_do_not(reencrypt: bool, path: Path, identity: Identity) -> None:
    before = path.read_bytes()
    done = rewrap(path, identities=[identity], recipients=[OTHER.recipient], reencrypt=reencrypt)
    after = path.read_bytes()
    assert done.files == (path,)
    assert decrypt_bytes(after, identities=[OTHER]) == PLAIN
    with pytest.raises(UnsealError):
        decrypt_bytes(after, identities=[identity])
    if before.startswith(b"age") and not reencrypt:
        assert after.endswith(before[-len(PLAIN) :])
    if reencrypt:
        assert after[-1000:] != before[-1000:]
    assert os.listdir(path.parent) == [path.name]


def test_a_passphrase_takes_the_place_of_recipients_and_the_reverse(path: Path, identity: Identity) -> None:
    rewrap(path, identities=[identity], new_passphrase="correct horse")
    assert decrypt_bytes(path.read_bytes(), passphrase="correct horse") == PLAIN
    rewrap(path, passphrase="correct horse", recipients=[OTHER.recipient, identity.recipient])
    assert decrypt_bytes(path.read_bytes(), identities=[identity]) == decrypt_bytes(path.read_bytes(), identities=[OTHER]) == PLAIN


def test_a_file_does_not_fall_from_hybrid_to_classical_unless_it_is_said(path: Path, identity: Identity) -> None:
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="shut to quantum computers"):
        rewrap(path, identities=[identity], recipients=[CLASSICAL.recipient])
    assert path.read_bytes() == before
    rewrap(path, identities=[identity], recipients=[CLASSICAL.recipient], allow_classical=True)
    # What is classical already may stay so.
    rewrap(path, identities=[CLASSICAL], recipients=[generate_identity("x25519").recipient])


@pytest.mark.parametrize("reencrypt", [False, True])
def test_a_header_that_was_changed_is_not_rewrapped(reencrypt: bool, path: Path, identity: Identity) -> None:
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnsealError):
        rewrap(path, identities=[identity], recipients=[OTHER.recipient], reencrypt=reencrypt)
    assert path.read_bytes() == content


def test_a_payload_that_was_changed_is_noticed_when_it_is_encrypted_anew(path: Path, identity: Identity) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnsealError):
        rewrap(path, identities=[identity], recipients=[OTHER.recipient], reencrypt=True)
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == [path.name]


def test_a_wrong_identity_no_recipient_and_a_missing_file_change_nothing(path: Path, identity: Identity) -> None:
    before = path.read_bytes()
    with pytest.raises(UnsealError):
        rewrap(path, identities=[OTHER], recipients=[OTHER.recipient])
    with pytest.raises(ConfigurationError, match="got none"):
        rewrap(path, identities=[identity])
    with pytest.raises(StorageError, match="cannot read"):
        rewrap(path.with_name("absent.age"), identities=[identity], recipients=[OTHER.recipient])
    assert path.read_bytes() == before


@pytest.mark.parametrize("broken", ["write_sealed", "wrap_header"])
def test_a_disk_that_fails_leaves_every_file_as_it_was(
    broken: str, identity: Identity, key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_model(tmp_path, identity, key)
    before = {file: file.read_bytes() for file in path.parent.iterdir()}

    def fails(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rewrapping, broken, fails)
    with pytest.raises(StorageError, match="No space left"):
        rewrap(path, identities=[identity], recipients=[OTHER.recipient], signers=[key])
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


def make_model(folder: Path, identity: Identity, key: SigningKey) -> Path:
    save_file({"a": torch.randn(50), "b": torch.randn(3, 4)}, folder / "m.safetensors")
    path = folder / "sealed" / "m.safetensors.age"
    seal_model_file(folder / "m.safetensors", path, recipients=[identity.recipient], signers=[key], model_id="m", version=2)
    return path


def test_statements_go_along_and_a_package_is_issued_anew(identity: Identity, key: SigningKey, tmp_path: Path) -> None:
    path = make_model(tmp_path, identity, key)
    trusted = TrustStore((Signer("s", key.verifying),), ("releaser", "packager"), {}, "00" * 32, "trust.toml")
    done = rewrap(path, identities=[identity], recipients=[OTHER.recipient])
    assert len(done.files) == 2
    assert [file.name.split(".")[2] for file in done.outdated] == ["packaged"]
    assert done.left == done.reissued == ()
    with pytest.raises(UnsealError, match="lacks the word of the packager"):
        open_tensors(path, identities=[OTHER], trusted=trusted)
    sign(path, key, role="packager", model_id="m", version=2, identities=[OTHER], recipients=[OTHER.recipient])
    done = rewrap(path, identities=[OTHER], recipients=[identity.recipient], signers=[key])
    assert (done.outdated, len(done.reissued)) == ((), 1)
    provenance = open_tensors(path, identities=[identity], trusted=trusted).provenance
    assert provenance is not None
    assert (provenance.model, provenance.version) == ("m", 2)


def test_a_statement_that_does_not_open_is_left_and_told(identity: Identity, key: SigningKey, tmp_path: Path) -> None:
    path = make_model(tmp_path, identity, key)
    alien = path.with_name("m.safetensors.audited.00000000.dsse.json.age")
    alien.write_bytes(encrypt_bytes(b"{}", recipients=[CLASSICAL.recipient]))
    before = alien.read_bytes()
    assert rewrap(path, identities=[identity], recipients=[OTHER.recipient]).left == (alien,)
    assert alien.read_bytes() == before
    assert statement_paths(path)
