"""A signer is a pair of keys, whose secret half shows itself nowhere."""

from __future__ import annotations

import copy
import pickle
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from audit.vault.age import bech32
from audit.vault.signing.keys import SigningKey, VerifyingKey, generate_signing_key, parse_signing_key
from classifier.errors import ConfigurationError, IntegrityError


def test_a_revealed_key_is_read_back_and_is_its_two_seeds(alice: SigningKey) -> None:
    again = parse_signing_key(alice.reveal())
    assert (again.public, again.key_id, again.reveal()) == (alice.public, alice.key_id, alice.reveal())
    prefix, seeds = bech32.decode(alice.reveal())
    assert (prefix, len(seeds)) == ("ASSAY-SIGNING-KEY-", 64)
    ed25519 = Ed25519PrivateKey.from_private_bytes(seeds[:32]).public_key().public_bytes_raw()
    ml_dsa = MLDSA65PrivateKey.from_seed_bytes(seeds[32:]).public_key().public_bytes_raw()
    assert bech32.decode(alice.public) == ("assaysigner", ed25519 + ml_dsa)
    assert alice.key_id == sha256(ed25519 + ml_dsa).hexdigest()[:32]


def test_both_signatures_are_in_pure_mode_with_an_empty_context(alice: SigningKey) -> None:
    _, pair = bech32.decode(alice.public)
    ed25519, ml_dsa = alice.sign(b"message")
    assert (len(ed25519), len(ml_dsa)) == (64, 3309)
    Ed25519PublicKey.from_public_bytes(pair[:32]).verify(ed25519, b"message")
    MLDSA65PrivateKey.from_seed_bytes(bech32.decode(alice.reveal())[1][32:]).public_key().verify(ml_dsa, b"message", b"")


def test_the_ed25519_half_is_that_of_rfc_8032() -> None:
    # RFC 8032, section 7.1, test 2.
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    key = SigningKey(seed + bytes(32))
    assert key.verifying.halves[0].hex() == public
    assert key.sign(b"\x72")[0].hex() == signature


def test_one_signature_that_does_not_fit_is_enough_to_refuse(alice: SigningKey, bob: SigningKey) -> None:
    ed25519, ml_dsa = alice.sign(b"message")
    alice.verifying.require_signed(b"message", ed25519, ml_dsa, source="it")
    others = bob.sign(b"message")
    forgeries = [(b"another", ed25519, ml_dsa), (b"message", others[0], ml_dsa), (b"message", ed25519, others[1])]
    forgeries += [(b"message", bytes(64), ml_dsa), (b"message", ed25519, bytes(3309)), (b"message", b"", b"")]
    for forgery in forgeries:
        with pytest.raises(IntegrityError, match=f"it claims to be signed by key {alice.key_id}, and its signatures do not fit"):
            alice.verifying.require_signed(*forgery, source="it")


def test_a_signing_key_shows_its_secret_nowhere(alice: SigningKey) -> None:
    secret = alice.reveal()
    _, seeds = bech32.decode(secret)
    for shown in (repr(alice), str(alice), f"{alice}", repr([alice]), repr(alice.verifying)):
        assert alice.key_id in shown
        assert secret not in shown
        assert seeds.hex() not in shown
    assert not hasattr(alice, "__dict__")
    for copying in (pickle.dumps, copy.copy, copy.deepcopy, lambda key: pickle.dumps(key, protocol=0)):
        with pytest.raises(TypeError, match="cannot be pickled") as caught:
            copying(alice)
        assert secret not in str(caught.value)


def test_every_new_key_is_another() -> None:
    made = [generate_signing_key() for _ in range(5)]
    assert len({half for key in made for half in key.verifying.halves}) == 10


def test_a_secret_where_a_public_key_belongs_is_told_and_never_repeated(alice: SigningKey) -> None:
    secret = alice.reveal()
    attempts = [(VerifyingKey, secret), (VerifyingKey, secret[:-1]), (VerifyingKey, secret + "q"), (parse_signing_key, secret[:-1])]
    attempts += [(parse_signing_key, secret.capitalize()), (parse_signing_key, secret.lower())]
    for parse, text in attempts:
        with pytest.raises(ConfigurationError) as caught:
            parse(text)
        assert caught.value.__cause__ is None
        assert text[20:60].lower() not in str(caught.value).lower()
    with pytest.raises(ConfigurationError, match="is a secret signing key"):
        VerifyingKey(secret)
    with pytest.raises(ConfigurationError, match="is a public key, which signs nothing"):
        parse_signing_key(alice.public)


@pytest.mark.parametrize("length", [0, 31, 32, 1983, 1985, 2016])
def test_a_key_of_another_length_is_refused(alice: SigningKey, length: int) -> None:
    pair = (bech32.decode(alice.public)[1] + bytes(64))[:length]
    with pytest.raises(ConfigurationError, match="is of another kind"):
        VerifyingKey(bech32.encode("assaysigner", pair))
    with pytest.raises(ConfigurationError, match="is of another kind"):
        parse_signing_key(bech32.encode("ASSAY-SIGNING-KEY-", pair))


def test_one_wrong_character_is_refused(alice: SigningKey) -> None:
    text = alice.public
    for i in range(0, len(text), 97):
        wrong = text[:i] + ("q" if text[i] != "q" else "p") + text[i + 1 :]
        with pytest.raises(ConfigurationError):
            VerifyingKey(wrong)


def test_keys_are_equal_if_their_pairs_are(alice: SigningKey, bob: SigningKey) -> None:
    assert VerifyingKey(alice.public) == alice.verifying
    assert len({VerifyingKey(alice.public), alice.verifying, bob.verifying}) == 2
