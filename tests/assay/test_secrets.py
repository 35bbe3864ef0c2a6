"""Keys and passphrases come by file or by descriptor, each read once, and no message holds one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assay import secrets
from assay.secrets import collect_identities, collect_recipients, read_descriptor, read_passphrase
from audit.vault import default_identities, encrypt_bytes, generate_identity
from audit.vault.age import scrypt
from classifier.errors import AssayError, ConfigurationError, StorageError, UnsealError

HYBRID, CLASSICAL = generate_identity(), generate_identity("x25519")


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(scrypt, "WRITTEN", 4)


def descriptor(content: bytes) -> int:
    reader, writer = os.pipe()
    with open(writer, "wb") as pipe:
        pipe.write(content)
    return reader


def test_a_descriptor_is_read_once_and_closed() -> None:
    number = descriptor(b"content")
    assert read_descriptor(number, 7) == b"content"
    with pytest.raises(StorageError, match=f"cannot read descriptor {number}: Bad file descriptor"):
        read_descriptor(number, 7)
    for none in (-1, 1 << 70):
        with pytest.raises(StorageError, match="cannot read descriptor"):
            read_descriptor(none, 7)
    with pytest.raises(ConfigurationError, match="more than the 7 bytes"):
        read_descriptor(descriptor(b"contents"), 7)


@pytest.mark.parametrize(
    ("content", "passphrase"), [(b"one", "one"), (b"one\n", "one"), (b"one\r\n", "one"), (b" one \n", " one "), ("ä\n".encode(), "ä")]
)
def test_one_newline_at_the_end_of_a_passphrase_is_dropped(content: bytes, passphrase: str) -> None:
    assert read_passphrase(False, descriptor(content), what="it") == passphrase


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"one\ntwo\n", b"one\n\n", b"\xff\xfe\n", b"a" * 5000])
def test_what_is_no_passphrase_is_refused_without_showing_it(content: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"descriptor \d+ holds") as caught:
        read_passphrase(False, descriptor(content), what="it")
    assert "two" not in str(caught.value)
    assert caught.value.__context__ is None


def test_without_a_word_about_it_there_is_no_passphrase() -> None:
    assert read_passphrase(False, None, what="it") is None


def test_identities_come_from_several_files_and_descriptors(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text(HYBRID.reveal())
    sealed = encrypt_bytes(CLASSICAL.reveal().encode(), passphrase="a passphrase", armor=True)
    names = [str(tmp_path / "keys.txt"), f"fd:{descriptor(sealed)}"]
    found = collect_identities(names, "a passphrase")
    assert [identity.reveal() for identity in found] == [HYBRID.reveal(), CLASSICAL.reveal()]
    with pytest.raises(UnsealError, match=r"^fd:\d+ did not open"):
        collect_identities([f"fd:{descriptor(sealed)}"], "another one")


def test_a_sealed_identity_file_is_asked_about_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(what)
        return "a passphrase"

    monkeypatch.setattr(secrets, "ask_passphrase", ask)
    for name, identity in (("first.age", HYBRID), ("second.age", CLASSICAL)):
        (tmp_path / name).write_bytes(encrypt_bytes(identity.reveal().encode(), passphrase="a passphrase"))
    (tmp_path / "third.txt").write_text(HYBRID.reveal())
    assert len(collect_identities([str(tmp_path / name) for name in ("first.age", "second.age", "third.txt")])) == 3
    assert asked == [str(tmp_path / "first.age"), str(tmp_path / "second.age")]


SECRETS = [HYBRID.reveal(), CLASSICAL.reveal(), CLASSICAL.reveal().lower(), " " + HYBRID.reveal()]


@pytest.mark.parametrize("secret", SECRETS, ids=["hybrid", "classical", "lower case", "after a blank"])
def test_a_secret_given_as_an_argument_is_not_repeated(secret: str) -> None:
    for collect in (lambda: collect_identities([secret]), lambda: collect_recipients([secret], [], None)):
        with pytest.raises(AssayError) as caught:
            collect()
        assert secret.strip()[20:40].lower() not in str(caught.value).lower()


def test_recipients_come_from_arguments_and_files(tmp_path: Path) -> None:
    (tmp_path / "team.txt").write_text(f"# the team\n{CLASSICAL.recipient}\n")
    assert collect_recipients([HYBRID.recipient], [tmp_path / "team.txt"], None) == [HYBRID.recipient, CLASSICAL.recipient]
    assert collect_recipients([], [], None) == []
    assert collect_recipients([HYBRID.recipient], [], "hybrid") == [HYBRID.recipient]
    with pytest.raises(ConfigurationError, match="recipient 2 of 2 is not of kind hybrid"):
        collect_recipients([HYBRID.recipient], [tmp_path / "team.txt"], "hybrid")


def test_the_users_own_recipient_is_taken_by_its_kind() -> None:
    [own] = default_identities()
    assert collect_recipients([], [], "hybrid") == [own.recipient]
    with pytest.raises(ConfigurationError, match="you have no identity of kind x25519"):
        collect_recipients([], [], "x25519")
