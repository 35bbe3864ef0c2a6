"""Signing keys and keys of pseudonyms are kept apart from identities: sealed, private, never replaced, never made in a pipeline."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audit.vault import (
    create_signing_key,
    decrypt_bytes,
    default_identities,
    default_identity,
    default_signing_key,
    encrypt_bytes,
    generate_identity,
    read_signing_key,
)
from audit.vault.age import scrypt
from audit.vault.keys.own_keys import create_private, read_private
from audit.vault.keys.own_signing_key import parse_signing_key_file
from audit.vault.keys.pseudonym_key import create_pseudonym_key, default_pseudonym_key
from classifier.errors import ConfigurationError, StorageError, UnsealError
from classifier.private_files import place_private


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrypt, "WRITTEN", 4)


def test_a_signing_key_is_kept_under_its_passphrase(configuration: Path) -> None:
    made = create_signing_key("a passphrase")
    file = configuration / "assay" / "signing-key.age"
    assert os.listdir(configuration / "assay") == ["signing-key.age"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes().startswith(b"-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert made.reveal() in decrypt_bytes(file.read_bytes(), passphrase="a passphrase").decode()
    assert default_signing_key("a passphrase").reveal() == default_signing_key(lambda: "a passphrase").reveal() == made.reveal()
    assert read_signing_key(file, "a passphrase").public == made.public
    with pytest.raises(UnsealError, match=r"signing-key\.age did not open; check its passphrase"):
        default_signing_key("another one")
    with pytest.raises(ConfigurationError, match=r"signing-key\.age is sealed under a passphrase"):
        default_signing_key()


def test_a_signing_key_is_in_the_clear_only_where_that_was_said(configuration: Path) -> None:
    for passphrase, unprotected in ((None, False), ("a passphrase", True)):
        with pytest.raises(ConfigurationError, match="choose one of the two"):
            create_signing_key(passphrase, unprotected=unprotected)
    assert not configuration.exists()
    made = create_signing_key(unprotected=True)
    assert os.listdir(configuration / "assay") == ["signing-key.txt"]
    assert default_signing_key().reveal() == made.reveal()


def test_a_signing_key_is_never_replaced_and_nothing_is_asked_then(configuration: Path) -> None:
    made = create_signing_key(unprotected=True)

    def ask() -> str:
        raise AssertionError("it asked")

    for passphrase, unprotected in ((None, True), (ask, False)):
        with pytest.raises(ConfigurationError, match="there is a signing key in"):
            create_signing_key(passphrase, unprotected=unprotected)
    assert default_signing_key().reveal() == made.reveal()
    (configuration / "assay" / "signing-key.age").touch(mode=0o600)
    with pytest.raises(ConfigurationError, match="there are two signing keys"):
        default_signing_key()


def test_without_a_signing_key_none_is_made(configuration: Path) -> None:
    with pytest.raises(ConfigurationError, match="assay keygen --kind signing"):
        default_signing_key()
    assert not configuration.exists()


@pytest.mark.parametrize(("content", "held"), [("", "0 keys"), ("# nothing\n", "0 keys"), ("one\ntwo\n", "2 keys")])
def test_a_file_of_any_other_number_of_signing_keys_is_refused(content: str, held: str) -> None:
    with pytest.raises(ConfigurationError, match=f"key.txt holds {held}, required is one"):
        parse_signing_key_file(content.encode(), "key.txt")


def test_a_key_of_pseudonyms_is_its_own(configuration: Path) -> None:
    with pytest.raises(ConfigurationError, match="assay keygen --kind pseudonym"):
        default_pseudonym_key()
    create_pseudonym_key()
    key = default_pseudonym_key()
    assert len(key) == 32
    assert (configuration / "assay" / "pseudonym.key").read_bytes() == key
    with pytest.raises(ConfigurationError, match="there is a key in"):
        create_pseudonym_key()
    assert default_pseudonym_key() == key
    (configuration / "assay" / "pseudonym.key").write_bytes(key[:-1])
    with pytest.raises(ConfigurationError, match="holds 31 bytes, required are 32"):
        default_pseudonym_key()


def test_where_ci_is_set_no_key_of_any_kind_is_made(configuration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    for make in (default_identity, create_pseudonym_key, lambda: create_signing_key("a passphrase"), lambda: create_private("any", b"")):
        with pytest.raises(ConfigurationError, match="where CI is set"):
            make()
    assert not configuration.exists()


def test_what_is_read_is_private_and_what_is_made_is_never_replaced(configuration: Path) -> None:
    assert read_private("any") is None
    assert create_private("any", b"first")
    assert not create_private("any", b"second")
    assert read_private("any") == b"first"
    (configuration / "assay" / "any").chmod(0o644)
    with pytest.raises(ConfigurationError, match="has mode 0644, required is 0600"):
        read_private("any")


def test_a_private_file_elsewhere_is_placed_whole_and_never_over_another(tmp_path: Path) -> None:
    assert place_private(tmp_path / "key", b"first")
    assert not place_private(tmp_path / "key", b"second")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert not place_private(tmp_path / "link", b"third")
    assert sorted(os.listdir(tmp_path)) == ["key", "link"]
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StorageError, match="there is no folder"):
        place_private(tmp_path / "nothing" / "key", b"")


def test_an_identity_of_an_earlier_release_stays_and_all_of_the_file_are_tried(configuration: Path) -> None:
    """Earlier releases made X25519 identities. Files are sealed to the first of the file, and each of them opens."""
    old, new = generate_identity("x25519"), generate_identity()
    assert create_private("identity.txt", f"{old.reveal()}\n{new.reveal()}\n".encode())
    assert default_identity().recipient == old.recipient
    assert [identity.recipient for identity in default_identities()] == [old.recipient, new.recipient]
    for identity in (old, new):
        assert decrypt_bytes(encrypt_bytes(b"secret", recipients=(identity.recipient,))) == b"secret"
    assert b"-> X25519 " in encrypt_bytes(b"secret")


def test_an_own_identity_that_its_owner_sealed_opens_with_the_passphrase(configuration: Path) -> None:
    identity = generate_identity()
    create_private("identity.txt", encrypt_bytes(identity.reveal().encode(), passphrase="a passphrase", armor=True))
    assert default_identity(passphrase="a passphrase").recipient == identity.recipient
    with pytest.raises(ConfigurationError, match="is sealed under a passphrase"):
        default_identity()
