"""Files of keys are read as age writes them, and a wrong line is named without showing it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.vault import encrypt_bytes, generate_identity, read_identities, read_recipients
from audit.vault.age import bech32, scrypt
from audit.vault.keys.identity import parse_identities
from audit.vault.keys.key_files import LONGEST_FILE, parse_identity_file
from classifier.errors import ConfigurationError, StorageError, UnsealError

# Fixed, so that every worker collects the same cases.
SECRET = bech32.encode("AGE-SECRET-KEY-", bytes(range(1, 33))).upper()
HYBRID = bech32.encode("AGE-SECRET-KEY-PQ-", bytes(range(1, 33))).upper()
RECIPIENT = parse_identities([SECRET])[0].recipient


def test_an_identity_file_is_read_as_age_writes_it(tmp_path: Path) -> None:
    first, second = generate_identity(), generate_identity("x25519")
    text = f"# created: 2026-01-01T00:00:00Z\n# public key: {first.recipient}\n{first.reveal()}\r\n\n  # être\n{second.reveal()}"
    (tmp_path / "keys.txt").write_text(text, encoding="utf-8", newline="")
    assert [identity.recipient for identity in read_identities(tmp_path / "keys.txt")] == [first.recipient, second.recipient]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no identity"),
        ("# nothing\n", "holds no identity"),
        (f"{SECRET}\n{SECRET[:-1]}\n", "line 2 of .* cannot be read: its checksum"),
        (SECRET.lower(), "line 1 of .* is of no kind"),
        (bech32.encode("AGE-SECRET-KEY-", bytes(31)), "line 1 of .* is of no kind"),
        (bech32.encode("AGE-SECRET-KEY-PQ-", bytes(31)), "line 1 of .* is of no kind"),
        ("A" * 5000, "line 1 of .* has 5000 characters"),
        (RECIPIENT, "line 1 of .* is a recipient"),
        (f"{SECRET} {SECRET}", "line 1 of .* cannot be read"),
        ("age-encryption.org/v1\n", "is sealed under a passphrase"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\n", "is sealed under a passphrase"),
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


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrypt, "WRITTEN", 4)


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("armor", [False, True])
def test_an_identity_file_under_a_passphrase_asks_for_it_once_and_only_then(tmp_path: Path, armor: bool) -> None:
    asked: list[str] = []

    def ask() -> str:
        asked.append("asked")
        return "a passphrase"

    (tmp_path / "keys.age").write_bytes(encrypt_bytes(f"# mine\n{SECRET}\n{HYBRID}\n".encode(), passphrase="a passphrase", armor=armor))
    (tmp_path / "keys.txt").write_text(SECRET)
    assert [identity.reveal() for identity in read_identities(tmp_path / "keys.age", ask)] == [SECRET, HYBRID]
    assert [identity.reveal() for identity in read_identities(tmp_path / "keys.age", "a passphrase")] == [SECRET, HYBRID]
    assert read_identities(tmp_path / "keys.txt", ask)[0].reveal() == SECRET
    assert asked == ["asked"]


@pytest.mark.usefixtures("cheap")
def test_whatever_is_wrong_with_a_sealed_identity_file_reads_the_same(tmp_path: Path) -> None:
    good = encrypt_bytes(SECRET.encode(), passphrase="a passphrase")
    messages = set()
    for content, passphrase in (
        (good, "another one"),
        (good[:-1], "a passphrase"),
        (good[:40], "a passphrase"),
        (encrypt_bytes(SECRET.encode(), recipients=(RECIPIENT,)), "a passphrase"),
        (encrypt_bytes(SECRET.encode(), passphrase="a passphrase", armor=True)[:-9], "a passphrase"),
    ):
        (tmp_path / "keys.age").write_bytes(content)
        with pytest.raises(UnsealError) as caught:
            read_identities(tmp_path / "keys.age", passphrase)
        messages.add(str(caught.value))
    assert len(messages) == 1
    assert "keys.age did not open" in messages.pop()


@pytest.mark.usefixtures("cheap")
def test_what_a_sealed_identity_file_holds_is_checked_as_in_the_clear(tmp_path: Path) -> None:
    (tmp_path / "keys.age").write_bytes(encrypt_bytes(f"{SECRET}\n{SECRET[:-1]}\n".encode(), passphrase="a passphrase"))
    with pytest.raises(ConfigurationError, match=r"line 2 of .*keys\.age cannot be read") as caught:
        read_identities(tmp_path / "keys.age", "a passphrase")
    assert SECRET[20:40] not in str(caught.value)


def _outcome(content: bytes) -> str:
    try:
        identities = parse_identity_file(content, "keys.txt")
    except ConfigurationError as error:
        return str(error)
    return " ".join(identity.reveal() for identity in identities)


def test_any_bytes_are_identities_or_a_named_error(fuzz: settings) -> None:
    lines = st.sampled_from([SECRET, HYBRID, RECIPIENT, SECRET.lower(), SECRET[:-1], "# comment", "", "age-encryption.org/v1"])
    texts = st.lists(lines | st.text(max_size=80), max_size=6).map("\n".join)

    @fuzz
    @given(st.binary(max_size=200) | texts.map(lambda text: text.encode("utf-8", "replace")))
    def law(content: bytes) -> None:
        outcome = _outcome(content)
        assert set(outcome.split(" ")) <= {SECRET, HYBRID} or ("keys.txt" in outcome and SECRET[20:40] not in outcome)

    law()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"the identity file .*keys\.txt: No such file"):
        read_identities(tmp_path / "keys.txt")
    with pytest.raises(StorageError, match=r"the file of recipients .*keys\.txt: No such file"):
        read_recipients(tmp_path / "keys.txt")


def test_a_file_of_recipients_is_checked_by_line_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "team.txt"
    hybrid = parse_identities([HYBRID])[0].recipient
    path.write_text(f"# the team\n{RECIPIENT}\r\n\n{hybrid}\n")
    assert read_recipients(path) == [RECIPIENT, hybrid]
    for content, message in (
        (f"{RECIPIENT}\n{SECRET}\n", r"line 2 of .*team\.txt is a secret identity"),
        ("# nobody\n", "holds no recipient"),
        ("#" * (LONGEST_FILE + 1), "is longer than"),
    ):
        path.write_text(content)
        with pytest.raises(ConfigurationError, match=message) as caught:
            read_recipients(path)
        assert SECRET[20:40] not in str(caught.value)
