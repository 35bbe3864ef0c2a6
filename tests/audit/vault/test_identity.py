"""Identities keep their secret, and their text is read as age writes it."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Callable
from hashlib import shake_256

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.vault import Identity, encrypt_bytes, generate_identity
from audit.vault.age import bech32
from audit.vault.keys.identity import parse_identities, parse_recipients
from audit.vault.published_vectors import HYBRID_IDENTITY
from classifier.errors import ConfigurationError


@pytest.mark.parametrize("kind", ["hybrid", "x25519"])
def test_an_identity_shows_its_recipient_and_never_its_secret(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    identity = generate_identity(kind)
    logging.getLogger().warning("using %s and %r", identity, identity)
    shown = [str(identity), repr(identity), f"{identity}", f"{[identity]}", caplog.text]
    for text in shown:
        assert identity.recipient[:62] in text
        assert "SECRET" not in text
        assert identity.reveal()[20:40].lower() not in text.lower()
    assert len(repr(identity)) < 100
    assert not hasattr(identity, "__dict__")
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="is a secret"):
            leak(identity)


def test_an_identity_has_the_recipient_that_another_implementation_derives() -> None:
    for _ in range(10):
        identity = generate_identity("x25519")
        assert str(pyrage.x25519.Identity.from_str(identity.reveal()).to_public()) == identity.recipient
        assert parse_identities([identity.reveal()])[0].recipient == identity.recipient


def test_another_kind_of_identity_is_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no kind of identity 'hybird'; did you mean 'hybrid'"):
        generate_identity("hybird")


def test_the_default_kind_is_hybrid() -> None:
    identity = generate_identity()
    assert identity.recipient.startswith("age1pq1")
    assert identity.reveal().startswith("AGE-SECRET-KEY-PQ-1")
    assert parse_identities([identity.reveal()])[0].recipient == identity.recipient
    assert parse_recipients([identity.recipient])[0].post_quantum


def test_the_published_hybrid_identity_has_its_keys_from_its_seed() -> None:
    """Against the derivation written out: SHAKE-256 gives the ML-KEM seed and the X25519 key."""
    seed = bech32.decode(HYBRID_IDENTITY)[1]
    expanded = shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).public_key().public_bytes_raw()
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:]).public_key().public_bytes_raw()
    assert parse_identities([HYBRID_IDENTITY])[0].recipient == bech32.encode("age1pq", mlkem + x25519)


# Fixed, so that every worker collects the same cases.
SECRET = bech32.encode("AGE-SECRET-KEY-", bytes(range(1, 33))).upper()
RECIPIENT = parse_identities([SECRET])[0].recipient


@pytest.mark.parametrize(
    ("recipient", "message"),
    [
        (SECRET, "recipient 2 of 2 is a secret identity"),
        (SECRET[:-1], "recipient 2 of 2 cannot be read"),
        (RECIPIENT.upper(), "recipient 2 of 2 is of no kind"),
        (bech32.encode("age", bytes(33)), "recipient 2 of 2 is of no kind"),
        (bech32.encode("age1pq", bytes(1215)), "recipient 2 of 2 is of no kind"),
        (bech32.encode("age1tag", bytes(33)), "recipient 2 of 2 is of no kind"),
        ("a" * 5000, "recipient 2 of 2 has 5000 characters"),
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


@pytest.mark.parametrize(
    "key",
    [
        lambda key: key[:1184] + bytes(32),
        lambda key: key[:1184] + (1).to_bytes(32, "little"),
        lambda key: b"\xff" * 384 + key[384:],
        lambda key: b"\x01\x0d" + key[2:1184] + key[1184:],
    ],
    ids=["identity point", "point of order 1", "coefficients out of range", "a coefficient of 3329"],
)
def test_nothing_is_sealed_to_half_a_hybrid_key(key: Callable[[bytes], bytes]) -> None:
    good = bech32.decode(generate_identity().recipient)[1]
    with pytest.raises(ConfigurationError, match="point of low order or an ML-KEM key out of range"):
        encrypt_bytes(b"secret", recipients=(bech32.encode("age1pq", key(good)),))


@pytest.mark.parametrize("passphrase", ["", "\ud800"])
def test_a_passphrase_that_is_none_is_refused_without_showing_it(passphrase: str) -> None:
    with pytest.raises(ConfigurationError, match="passphrase is") as caught:
        encrypt_bytes(b"secret", passphrase=passphrase)
    assert caught.value.__context__ is None


def test_hybrid_and_classical_recipients_are_not_mixed(identity: Identity) -> None:
    both = (identity.recipient, generate_identity("x25519").recipient)
    with pytest.raises(ConfigurationError, match="of 2 recipients 1 are not post-quantum"):
        encrypt_bytes(b"secret", recipients=both)
