"""Hybrid keys of ML-KEM-768 and X25519 (c2sp.org/age, "The mlkem768x25519 recipient type"; X-Wing, Barbosa et al., 2024; RFC 9180).

What is sealed to one stays shut as long as either of the two holds, also against quantum computers.
"""

from __future__ import annotations

import os
from hashlib import shake_256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey, Suite

from audit.vault.age import bech32
from audit.vault.age.failure import OpeningError
from audit.vault.age.header import Stanza, decode_base64, encode_base64
from audit.vault.age.parties import Identity, Recipient
from classifier.errors import ConfigurationError

SEED, FILE_KEY, TAG = 32, 16, 16
MLKEM_SEED, MLKEM_KEY, MLKEM_SHARE = 64, 1184, 1088
X25519_KEY = 32
KEY, SHARE = MLKEM_KEY + X25519_KEY, MLKEM_SHARE + X25519_KEY
TYPE = "mlkem768x25519"
INFO = b"age-encryption.org/mlkem768x25519"
SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class HybridRecipient(Recipient):
    """A public key of 1216 bytes, ``"age1pq1..."``.

    Raises:
        ConfigurationError: If one of its two halves is no key.
    """

    prefix = "age1pq"
    post_quantum = True

    def __init__(self, key: bytes) -> None:
        share = X25519PublicKey.from_public_bytes(key[MLKEM_KEY:])
        try:
            _require_order(share)
            self._key = MLKEM768X25519PublicKey(MLKEM768PublicKey.from_public_bytes(key[:MLKEM_KEY]), share)
        except ValueError:
            raise ConfigurationError(
                "a recipient holds a point of low order or an ML-KEM key out of range, to which nothing can be encrypted",
                remedy="ask its owner for a new recipient",
            ) from None

    def wrap(self, file_key: bytes) -> Stanza:
        sealed = SUITE.encrypt(file_key, self._key, INFO)
        return Stanza(TYPE, (encode_base64(sealed[:SHARE]).decode("ascii"),), sealed[SHARE:])


class HybridIdentity(Identity):
    """A seed of 32 bytes, ``"AGE-SECRET-KEY-PQ-1..."``, which both private keys come from."""

    __slots__ = ("_key", "_public", "_seed", "_x25519")
    prefix = "AGE-SECRET-KEY-PQ-"

    def __init__(self, seed: bytes) -> None:
        expanded = shake_256(seed).digest(MLKEM_SEED + X25519_KEY)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:MLKEM_SEED])
        self._seed = seed
        self._x25519 = X25519PrivateKey.from_private_bytes(expanded[MLKEM_SEED:])
        self._key = MLKEM768X25519PrivateKey(mlkem, self._x25519)
        self._public = mlkem.public_key().public_bytes_raw() + self._x25519.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> HybridIdentity:
        """A new one, from the operating system's randomness."""
        return cls(os.urandom(SEED))

    @property
    def recipient(self) -> str:
        return bech32.encode(HybridRecipient.prefix, self._public)

    def reveal(self) -> str:
        return bech32.encode(self.prefix, self._seed)

    def unwrap(self, stanza: Stanza) -> bytes | None:
        if stanza.type != TYPE:
            return None
        if len(stanza.arguments) != 1 or len(stanza.body) != FILE_KEY + TAG:
            raise OpeningError("header failure")
        share = decode_base64(stanza.arguments[0].encode("ascii"))
        if len(share) != SHARE:
            raise OpeningError("header failure")
        try:
            self._x25519.exchange(X25519PublicKey.from_public_bytes(share[MLKEM_SHARE:]))
        except ValueError:  # of low order, which the suite would tell as a wrong tag
            raise OpeningError("header failure") from None
        try:
            return SUITE.decrypt(share + stanza.body, self._key, INFO)
        except InvalidTag:
            return None


def _require_order(share: X25519PublicKey) -> None:
    """Raise ``ValueError`` if every exchange with `share` gives the secret 0."""
    X25519PrivateKey.generate().exchange(share)
