"""Signing keys: one signer is a pair of an Ed25519 key (RFC 8032) and an ML-DSA-65 key (FIPS 204).

Both signatures must verify. Forging takes a break of both, so a quantum computer that breaks Ed25519 does not suffice, nor does
a flaw in the younger ML-DSA.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from audit.vault.age import bech32
from audit.vault.signing.curve import describe_unfit_point
from classifier.errors import ConfigurationError, IntegrityError

SECRET_PREFIX, PUBLIC_PREFIX = "ASSAY-SIGNING-KEY-", "assaysigner"
SEED, ED25519_KEY, ML_DSA_KEY = 32, 32, 1952
ED25519_SIGNATURE, ML_DSA_SIGNATURE = 64, 3309
_FORM = "a signer's public key is assaysigner1 and 3,181 more characters"


class VerifyingKey:
    """The public half of a signer: an Ed25519 key and an ML-DSA-65 key.

    Args:
        text: Its text, ``"assaysigner1..."``.
        name: What to call it in an error. The text itself is never repeated, since a secret may stand there by mistake.

    Raises:
        ConfigurationError: If it is none, or its Ed25519 half is a key under which anyone could sign.
    """

    __slots__ = ("_ed25519", "_ml_dsa", "key_id", "public")

    def __init__(self, text: str, *, name: str = "the signer's public key") -> None:
        try:
            prefix, pair = bech32.decode(text)
        except ValueError as error:
            raise ConfigurationError(f"{name} cannot be read: {error}", remedy=_FORM) from None
        if prefix == SECRET_PREFIX:
            raise ConfigurationError(
                f"{name} is a secret signing key",
                remedy=f"give its public key, which starts with {PUBLIC_PREFIX}1, and make a new one if others saw the secret",
            )
        if prefix != PUBLIC_PREFIX or len(pair) != ED25519_KEY + ML_DSA_KEY:
            raise ConfigurationError(f"{name} is of another kind", remedy=_FORM)
        unfit = describe_unfit_point(pair[:ED25519_KEY])
        if unfit is not None:
            raise ConfigurationError(f"the Ed25519 half of {name} {unfit}", remedy="ask its owner for a new key")
        self._ed25519 = Ed25519PublicKey.from_public_bytes(pair[:ED25519_KEY])
        self._ml_dsa = MLDSA65PublicKey.from_public_bytes(pair[ED25519_KEY:])
        #: The text that it was read from, in its one form.
        self.public: str = bech32.encode(PUBLIC_PREFIX, pair)
        #: The first 32 hexadecimal characters of the SHA-256 of both keys. It finds a key, and proves nothing.
        self.key_id: str = sha256(pair).hexdigest()[:32]

    @property
    def halves(self) -> tuple[bytes, bytes]:
        """The Ed25519 key ``(32 bytes)`` and the ML-DSA-65 key ``(1952 bytes)``."""
        return self._ed25519.public_bytes_raw(), self._ml_dsa.public_bytes_raw()

    def require_signed(self, message: bytes, ed25519: bytes, ml_dsa: bytes, *, source: str) -> None:
        """Check both signatures of a message.

        Args:
            message: What was signed.
            ed25519: The Ed25519 signature ``(64 bytes)``.
            ml_dsa: The ML-DSA-65 signature ``(3309 bytes)``, in pure mode with an empty context.
            source: Where they came from, for the error.

        Raises:
            IntegrityError: If either does not fit.
        """
        try:
            self._ed25519.verify(ed25519, message)
            self._ml_dsa.verify(ml_dsa, message)
        except InvalidSignature:
            raise IntegrityError(
                f"{source} claims to be signed by key {self.key_id}, and its signatures do not fit",
                remedy="it was changed, or signed by someone else; take it from its source",
            ) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyingKey) and self.public == other.public

    def __hash__(self) -> int:
        return hash(self.public)

    def __repr__(self) -> str:
        return f"<verifying key {self.key_id}>"


class SigningKey:
    """A secret signing key: the seeds of an Ed25519 key and of an ML-DSA-65 key.

    Printed or logged, it shows the id of its public key only, and it cannot be pickled. Make one with `generate_signing_key`, or
    read its text with `parse_signing_key`.
    """

    __slots__ = ("_ed25519", "_ml_dsa", "_verifying")

    def __init__(self, seeds: bytes) -> None:
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(seeds[:SEED])
        self._ml_dsa = MLDSA65PrivateKey.from_seed_bytes(seeds[SEED:])
        pair = self._ed25519.public_key().public_bytes_raw() + self._ml_dsa.public_key().public_bytes_raw()
        self._verifying = VerifyingKey(bech32.encode(PUBLIC_PREFIX, pair))

    @property
    def public(self) -> str:
        """The public key that belongs to it, ``"assaysigner1..."``. Anyone may know it."""
        return self._verifying.public

    @property
    def verifying(self) -> VerifyingKey:
        """The public key that belongs to it, ready to verify."""
        return self._verifying

    @property
    def key_id(self) -> str:
        """The id of its public key."""
        return self._verifying.key_id

    def reveal(self) -> str:
        """The secret itself, ``"ASSAY-SIGNING-KEY-1..."``, for a key file. Print or log it nowhere."""
        return bech32.encode(SECRET_PREFIX, self._ed25519.private_bytes_raw() + self._ml_dsa.private_bytes_raw())

    def sign(self, message: bytes) -> tuple[bytes, bytes]:
        """The Ed25519 signature ``(64 bytes)`` and the ML-DSA-65 signature ``(3309 bytes)`` of a message."""
        return self._ed25519.sign(message), self._ml_dsa.sign(message)

    def __repr__(self) -> str:
        return f"<signing key of {self.key_id}>"

    def __reduce_ex__(self, _: object) -> NoReturn:
        # A pickle would carry the secret to caches, other processes and crash reports.
        raise TypeError("a signing key cannot be pickled; write down reveal() where secrets are kept")


def generate_signing_key() -> SigningKey:
    """Make a new signing key, from the operating system's randomness."""
    return SigningKey(Ed25519PrivateKey.generate().private_bytes_raw() + MLDSA65PrivateKey.generate().private_bytes_raw())


def parse_signing_key(text: str) -> SigningKey:
    """Read the text that `SigningKey.reveal` gives, ``"ASSAY-SIGNING-KEY-1..."``.

    Raises:
        ConfigurationError: If it is none. The message never holds what was given.
    """
    form = "a signing key is ASSAY-SIGNING-KEY-1 and 109 more characters"
    try:
        prefix, seeds = bech32.decode(text)
    except ValueError as error:
        raise ConfigurationError(f"the signing key cannot be read: {error}", remedy=form) from None
    if prefix == PUBLIC_PREFIX:
        raise ConfigurationError("the signing key is a public key, which signs nothing", remedy=form)
    if prefix != SECRET_PREFIX or len(seeds) != 2 * SEED:
        raise ConfigurationError("the signing key is of another kind", remedy=form)
    return SigningKey(seeds)
