"""What a stranger puts beside a sealed file is not signed by rewrapping it, and does not stop it."""

from __future__ import annotations

import base64
import json
import os
from io import BytesIO
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from audit.vault import Identity, decrypt_bytes, encrypt_bytes, generate_identity, generate_signing_key, rewrap, seal_model_file
from audit.vault.age import scrypt
from audit.vault.age.container import payload_key
from audit.vault.age.header import Stanza, write_header
from audit.vault.age.stream import encrypt_stream
from audit.vault.keys.identity import parse_recipients
from classifier.errors import ConfigurationError, StorageError, UnsealError

OTHER = generate_identity()
CLASSICAL = generate_identity("x25519")
KEY = generate_signing_key()
K8 = KEY.key_id[:8]


@pytest.fixture
def folder(identity: Identity, tmp_path: Path) -> Path:
    """Two models that one packager signed: x, a harmless one, and y."""
    for name, model, version in (("x", "harmless", 1), ("y", "flagship", 9)):
        save_file({"w": torch.randn(5)}, tmp_path / "plain")
        path = tmp_path / "models" / f"{name}.safetensors.age"
        seal_model_file(tmp_path / "plain", path, recipients=[identity.recipient], signers=[KEY], model_id=model, version=version)
    return tmp_path / "models"


def test_a_package_of_another_model_another_content_or_none_at_all_is_not_signed_anew(folder: Path, identity: Identity) -> None:
    path, package = folder / "x.safetensors.age", folder / f"x.safetensors.packaged.{K8}.dsse.json"
    genuine = package.read_bytes()
    replayed = (folder / f"y.safetensors.packaged.{K8}.dsse.json").read_bytes()
    released = decrypt_bytes((folder / f"x.safetensors.released.{K8}.dsse.json.age").read_bytes(), identities=[identity])
    for content in (replayed, released, b"junk", b"", bytes(6 << 20), genuine[:-1]):
        package.write_bytes(content)
        done = rewrap(path, identities=[identity], recipients=[identity.recipient], signers=[KEY])
        assert (done.reissued, done.outdated) == ((), (package,))
        assert package.read_bytes() == content
    # The genuine one is about the bytes of before, and no longer of these.
    package.write_bytes(genuine)
    assert rewrap(path, identities=[identity], recipients=[identity.recipient], signers=[KEY]).reissued == ()


@pytest.mark.parametrize("reencrypt", [False, True])
def test_a_genuine_package_is_signed_anew_with_what_it_said(reencrypt: bool, folder: Path, identity: Identity) -> None:
    path, package = folder / "y.safetensors.age", folder / f"y.safetensors.packaged.{K8}.dsse.json"
    before = package.read_bytes()
    done = rewrap(path, identities=[identity], recipients=[OTHER.recipient], signers=[generate_signing_key(), KEY], reencrypt=reencrypt)
    assert (done.reissued, done.outdated) == ((package,), ())
    assert package.read_bytes() != before
    statement = json.loads(base64.b64decode(json.loads(package.read_bytes())["payload"]))
    assert statement["predicate"]["model"] == {"id": "flagship", "version": 9}


def test_a_signer_is_told_by_the_envelope_and_not_by_a_name(folder: Path, identity: Identity) -> None:
    stranger = generate_signing_key()
    path = folder / f"m-{stranger.key_id[:8]}.safetensors.age"
    seal_model_file(folder.parent / "plain", path, recipients=[identity.recipient], signers=[KEY])
    done = rewrap(path, identities=[identity], recipients=[OTHER.recipient], signers=[stranger])
    assert (done.reissued, len(done.outdated)) == ((), 1)


@pytest.mark.parametrize("ending", [".dsse.json", ".dsse.json.age"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_what_is_no_plain_file_is_no_statement_and_is_not_waited_for(kind: str, ending: str, folder: Path, identity: Identity) -> None:
    path, odd = folder / "x.safetensors.age", folder / f"x.safetensors.audited.00000000{ending}"
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "folder":
        odd.mkdir()
    else:
        odd.symlink_to(folder / "y.safetensors.age")
    y = (folder / "y.safetensors.age").read_bytes()
    done = rewrap(path, identities=[identity], recipients=[OTHER.recipient], signers=[KEY])
    assert odd in (done.left if ending.endswith(".age") else done.outdated)
    assert (folder / "y.safetensors.age").read_bytes() == y
    assert os.path.lexists(odd)


def test_a_header_of_hybrid_recipients_and_grease_does_not_fall_to_classical(identity: Identity, tmp_path: Path) -> None:
    file_key, nonce, sealed = os.urandom(16), os.urandom(16), BytesIO()
    (recipient,) = parse_recipients([identity.recipient])
    header = write_header([recipient.wrap(file_key), Stanza("k9f-grease", ("abc",), b"")], file_key)
    encrypt_stream(BytesIO(b"plain"), sealed, payload_key(file_key, nonce))
    path = tmp_path / "g.age"
    path.write_bytes(header + nonce + sealed.getvalue())
    with pytest.raises(ConfigurationError, match="shut to quantum computers"):
        rewrap(path, identities=[identity], recipients=[CLASSICAL.recipient])
    rewrap(path, identities=[identity], recipients=[CLASSICAL.recipient], allow_classical=True)
    assert decrypt_bytes(path.read_bytes(), identities=[CLASSICAL]) == b"plain"


def test_a_file_under_a_passphrase_does_not_fall_to_classical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrypt, "WRITTEN", 4)
    (tmp_path / "p.age").write_bytes(encrypt_bytes(b"plain", passphrase="correct horse"))
    with pytest.raises(ConfigurationError, match="shut to quantum computers"):
        rewrap(tmp_path / "p.age", passphrase="correct horse", recipients=[CLASSICAL.recipient])
    with pytest.raises(UnsealError):
        rewrap(tmp_path / "p.age", passphrase="correct horse", highest_work_factor=3, recipients=[OTHER.recipient])


def test_a_link_is_not_replaced_by_a_file_and_permissions_stay(folder: Path, identity: Identity) -> None:
    path, link = folder / "x.safetensors.age", folder / "link.age"
    link.symlink_to(path)
    with pytest.raises(StorageError, match="is a link"):
        rewrap(link, identities=[identity], recipients=[OTHER.recipient])
    path.chmod(0o600)
    rewrap(path, identities=[identity], recipients=[OTHER.recipient])
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_not_there_is_told(identity: Identity, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no folder"):
        rewrap(tmp_path / "none" / "x.age", identities=[identity], recipients=[OTHER.recipient])
