"""X25519 keys (c2sp.org/age, "The X25519 recipient type"; RFC 7748). Not safe against quantum computers."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.vault.age import bech32
from audit.vault.age.failure import OpeningError
from audit.vault.age.header import Stanza, decode_base64, encode_base64
from audit.vault.age.parties import Identity, Recipient
from classifier.errors import ConfigurationError

KEY, FILE_KEY, TAG = 32, 16, 16
TYPE = "X25519"
# Each wrapping key is used once, so its nonce may be constant.
NONCE = bytes(12)


class X25519Recipient(Recipient):
    """A public key of 32 bytes, ``"age1..."``."""

    prefix = "age"

    def __init__(self, key: bytes) -> None:
        self._key = key

    def wrap(self, file_key: bytes) -> Stanza:
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        try:
            secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(self._key))
        except ValueError:
            # A point of low order gives the secret 0 with every share: anyone could open the file.
            raise ConfigurationError(
                "a recipient is a point of low order, to which nothing can be encrypted", remedy="ask its owner for a new recipient"
            ) from None
        body = _wrapping(secret, share, self._key).encrypt(NONCE, file_key, None)
        return Stanza(TYPE, (encode_base64(share).decode("ascii"),), body)


class X25519Identity(Identity):
    """A private key of 32 bytes, ``"AGE-SECRET-KEY-1..."``."""

    __slots__ = ("_key", "_public")
    prefix = "AGE-SECRET-KEY-"

    def __init__(self, key: bytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(key)
        self._public = self._key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> X25519Identity:
        """A new one, from the operating system's randomness."""
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    @property
    def recipient(self) -> str:
        return bech32.encode(X25519Recipient.prefix, self._public)

    def reveal(self) -> str:
        return bech32.encode(self.prefix, self._key.private_bytes_raw())

    def unwrap(self, stanza: Stanza) -> bytes | None:
        if stanza.type != TYPE:
            return None
        # A longer body could be made to verify under many keys, and so tell which of them we hold (Len et al., 2021).
        if len(stanza.arguments) != 1 or len(stanza.body) != FILE_KEY + TAG:
            raise OpeningError("header failure")
        share = decode_base64(stanza.arguments[0].encode("ascii"))
        try:
            secret = self._key.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError:  # a share that is not 32 bytes, or of low order, so that the secret is 0
            raise OpeningError("header failure") from None
        try:
            return _wrapping(secret, share, self._public).decrypt(NONCE, stanza.body, None)
        except InvalidTag:
            return None


def _wrapping(secret: bytes, share: bytes, recipient: bytes) -> ChaCha20Poly1305:
    derivation = HKDF(SHA256(), KEY, salt=share + recipient, info=b"age-encryption.org/v1/X25519")
    return ChaCha20Poly1305(derivation.derive(secret))
