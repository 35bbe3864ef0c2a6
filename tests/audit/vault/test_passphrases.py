"""Passphrases: an independent derivation opens what is sealed here, and no file makes a reader spend more than it agreed to."""

from __future__ import annotations

import hashlib
import pickle
from io import BytesIO

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from audit.vault import decrypt_bytes, encrypt_bytes
from audit.vault.age import scrypt
from audit.vault.age.container import new_header, read_file_key, wrap_header
from audit.vault.age.failure import OpeningError
from audit.vault.age.header import Stanza, decode_base64, read_header, write_header
from audit.vault.age.scrypt import ScryptOpener, ScryptRecipient
from classifier.errors import ConfigurationError

FILE_KEY = bytes(range(16))


def test_an_independent_derivation_opens_what_is_wrapped_here() -> None:
    stanza = ScryptRecipient("wörter", work_factor=10).wrap(FILE_KEY)
    salt, cost = stanza.arguments
    assert cost == "10"
    key = hashlib.scrypt(
        "wörter".encode(), salt=b"age-encryption.org/v1/scrypt" + decode_base64(salt.encode()), n=1 << 10, r=8, p=1, dklen=32
    )
    assert ChaCha20Poly1305(key).decrypt(bytes(12), stanza.body, None) == FILE_KEY


def test_a_passphrase_counts_byte_for_byte() -> None:
    stanza = ScryptRecipient("caf\u00e9", work_factor=2).wrap(FILE_KEY)
    assert ScryptOpener("caf\u00e9").unwrap(stanza) == FILE_KEY
    for other in ("cafe\u0301", "caf\u00e9 ", "Caf\u00e9", "cafe"):
        assert ScryptOpener(other).unwrap(stanza) is None


def test_files_are_written_with_the_published_work_factor() -> None:
    [stanza] = read_header(BytesIO(encrypt_bytes(b"secret", passphrase="a passphrase"))).stanzas
    assert stanza.arguments[1] == "18"


@pytest.mark.parametrize(
    "cost", ["0", "00", "01", "+1", "-1", "1_0", " 1", "1 ", "0x1", "1.0", "1e1", "\u0661", "21", "23", "64", "999", "9" * 40, ""]
)
def test_a_work_factor_beyond_the_limit_or_in_another_form_is_refused_unspent(cost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good = ScryptRecipient("a passphrase", work_factor=1).wrap(FILE_KEY)
    monkeypatch.setattr(scrypt, "Scrypt", None)
    with pytest.raises(OpeningError) as caught:
        ScryptOpener("a passphrase").unwrap(Stanza("scrypt", (good.arguments[0], cost), good.body))
    assert caught.value.failure == "header failure"


@pytest.mark.parametrize("body", [b"", bytes(31), bytes(33), bytes(48)])
def test_a_body_of_another_length_is_refused_unspent(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    good = ScryptRecipient("a passphrase", work_factor=1).wrap(FILE_KEY)
    monkeypatch.setattr(scrypt, "Scrypt", None)
    with pytest.raises(OpeningError):
        ScryptOpener("a passphrase").unwrap(Stanza("scrypt", good.arguments, body))


def test_the_limit_may_be_raised_to_22_and_lowered_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    spent: list[int] = []

    class Counting:
        def __init__(self, *, n: int, **_: object) -> None:
            spent.append(n)

        def derive(self, _: bytes) -> bytes:
            return bytes(32)

    monkeypatch.setattr(scrypt, "Scrypt", Counting)
    stanzas = {cost: Stanza("scrypt", ("A" * 22, str(cost)), bytes(32)) for cost in (5, 20, 21, 22, 23)}
    assert ScryptOpener("x").unwrap(stanzas[20]) is None
    assert ScryptOpener("x", highest_work_factor=22).unwrap(stanzas[22]) is None
    assert spent == [1 << 20, 1 << 22]
    for opener, cost in (
        (ScryptOpener("x"), 21),
        (ScryptOpener("x", highest_work_factor=22), 23),
        (ScryptOpener("x", highest_work_factor=4), 5),
    ):
        with pytest.raises(OpeningError):
            opener.unwrap(stanzas[cost])
    for highest in (0, 23):
        with pytest.raises(ConfigurationError, match=f"1 to 22, got {highest}"):
            decrypt_bytes(b"", passphrase="x", highest_work_factor=highest)


def test_too_little_memory_reads_as_a_work_factor_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    stanza = ScryptRecipient("a passphrase", work_factor=1).wrap(FILE_KEY)

    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(scrypt, "_wrapping", exhausted)
    with pytest.raises(OpeningError):
        ScryptOpener("a passphrase").unwrap(stanza)


@pytest.mark.parametrize("others", [["scrypt"], ["X25519"], ["x-grease"]])
def test_a_passphrase_beside_anything_else_opens_nothing(others: list[str]) -> None:
    stanza = ScryptRecipient("a passphrase", work_factor=1).wrap(FILE_KEY)
    content = write_header([stanza, *(Stanza(other, (), b"") for other in others)], FILE_KEY)
    with pytest.raises(OpeningError) as caught:
        read_file_key(BytesIO(content), [ScryptOpener("a passphrase")])
    assert caught.value.failure == "header failure"


def test_a_passphrase_is_written_alone() -> None:
    recipient = ScryptRecipient("a passphrase", work_factor=1)
    with pytest.raises(ConfigurationError, match="only recipient of its file, got 2"):
        new_header([recipient, recipient])
    header = wrap_header(FILE_KEY, [recipient])
    assert read_file_key(BytesIO(header), [ScryptOpener("another"), ScryptOpener("a passphrase")]) == FILE_KEY


def test_a_passphrase_is_not_shown() -> None:
    opener = ScryptOpener("a passphrase")
    assert "a passphrase" not in f"{opener!r} {opener}"
    with pytest.raises(TypeError, match="is a secret"):
        pickle.dumps(opener)
