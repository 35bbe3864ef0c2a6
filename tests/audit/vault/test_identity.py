"""Identities keep their secret, and their text is read as age writes it."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

import pyrage
import pytest

from audit.vault import Identity, encrypt_bytes, generate_identity, read_identities
from audit.vault.age import bech32
from audit.vault.identity import parse_identities, parse_recipients
from classifier.errors import ConfigurationError, StorageError


def test_an_identity_shows_its_recipient_and_never_its_secret(identity: Identity, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger().warning("using %s and %r", identity, identity)
    shown = [str(identity), repr(identity), f"{identity}", f"{[identity]}", caplog.text]
    for text in shown:
        assert identity.recipient in text
        assert "SECRET" not in text
        assert identity.reveal()[16:40].lower() not in text.lower()
    assert not hasattr(identity, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(identity)


def test_an_identity_has_the_recipient_that_another_implementation_derives() -> None:
    for _ in range(10):
        identity = generate_identity()
        assert str(pyrage.x25519.Identity.from_str(identity.reveal()).to_public()) == identity.recipient
        assert parse_identities([identity.reveal()])[0].recipient == identity.recipient


def test_another_kind_of_identity_is_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no kind of identity 'hybrid'; .*x25519"):
        generate_identity("hybrid")


def test_an_identity_file_is_read_as_age_writes_it(tmp_path: Path) -> None:
    first, second = generate_identity(), generate_identity()
    text = f"# created: 2026-01-01T00:00:00Z\n# public key: {first.recipient}\n{first.reveal()}\r\n\n  # être\n{second.reveal()}"
    (tmp_path / "keys.txt").write_text(text, encoding="utf-8", newline="")
    assert [identity.recipient for identity in read_identities(tmp_path / "keys.txt")] == [first.recipient, second.recipient]


# Fixed, so that every worker collects the same cases.
SECRET = bech32.encode("AGE-SECRET-KEY-", bytes(range(1, 33))).upper()
RECIPIENT = parse_identities([SECRET])[0].recipient


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no identity"),
        ("# nothing\n", "holds no identity"),
        (f"{SECRET}\n{SECRET[:-1]}\n", "line 2 of .* cannot be read: its checksum"),
        (SECRET.lower(), "line 1 of .* is of no kind"),
        (bech32.encode("AGE-SECRET-KEY-", bytes(31)), "line 1 of .* is of no kind"),
        (bech32.encode("AGE-SECRET-KEY-PQ-", bytes(32)), "line 1 of .* is of no kind"),
        (RECIPIENT, "line 1 of .* is a recipient"),
        (f"{SECRET} {SECRET}", "line 1 of .* cannot be read"),
        ("age-encryption.org/v1\n", "is encrypted"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\n", "is encrypted"),
        ("#" * ((1 << 20) + 1), "is longer than"),
    ],
)
def test_a_wrong_identity_file_is_refused_by_line_without_showing_it(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "keys.txt").write_text(content)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_identities(tmp_path / "keys.txt")
    assert SECRET[20:40].lower() not in str(caught.value).lower()
    assert caught.value.__cause__ is None


def test_a_missing_identity_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"keys\.txt: No such file"):
        read_identities(tmp_path / "keys.txt")


@pytest.mark.parametrize(
    ("recipient", "message"),
    [
        (SECRET, "recipient 2 of 2 is a secret identity"),
        (SECRET[:-1], "recipient 2 of 2 cannot be read"),
        (RECIPIENT.upper(), "recipient 2 of 2 is of no kind"),
        (bech32.encode("age", bytes(33)), "recipient 2 of 2 is of no kind"),
        (bech32.encode("age1pq", bytes(1216)), "recipient 2 of 2 is of no kind"),
        ("", "recipient 2 of 2 cannot be read"),
    ],
)
def test_a_wrong_recipient_is_refused_by_position_without_showing_it(identity: Identity, recipient: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        parse_recipients([identity.recipient, recipient])
    assert SECRET[20:40].lower() not in str(caught.value).lower()


def test_one_alone_is_not_taken_for_a_list(identity: Identity) -> None:
    with pytest.raises(ConfigurationError, match="brackets"):
        parse_recipients(identity.recipient)
    for alone in (identity, identity.reveal()):
        with pytest.raises(ConfigurationError, match="brackets"):
            parse_identities(alone)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "point", [bytes(32), (1).to_bytes(32, "little"), (2**255 - 19).to_bytes(32, "little"), (2**255 - 20).to_bytes(32, "little")]
)
def test_nothing_is_sealed_to_a_point_of_low_order(point: bytes) -> None:
    with pytest.raises(ConfigurationError, match="low order"):
        encrypt_bytes(b"secret", recipients=(bech32.encode("age", point),))
