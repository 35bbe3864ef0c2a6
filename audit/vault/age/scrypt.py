"""Passphrases (c2sp.org/age, "The scrypt recipient type"; RFC 7914)."""

from __future__ import annotations

import os
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from audit.vault.age.failure import OpeningError
from audit.vault.age.header import Stanza, decode_base64, encode_base64
from audit.vault.age.parties import Opener, Recipient
from classifier.errors import ConfigurationError

KEY, FILE_KEY, TAG, SALT = 32, 16, 16, 16
BLOCK_SIZE = 8
TYPE = "scrypt"
LABEL = b"age-encryption.org/v1/scrypt"
# Each wrapping key is used once, since its salt is fresh.
NONCE = bytes(12)
# As powers of two of the cost; each takes 1 KiB of memory. Writing 256 MiB; reading 1 GiB, or 4 GiB if asked.
WRITTEN, READ, MOST = 18, 20, 22
DECIMAL = re.compile(r"[1-9][0-9]{0,2}")


class ScryptRecipient(Recipient):
    """A passphrase that a file is sealed under. It is the only recipient of its file.

    Args:
        passphrase: Any text that is not empty. Its UTF-8 bytes count as they are: an accented letter written in
            another Unicode form is another passphrase, as it is for every age tool.
        work_factor: Power of two of the cost; by default 18, and anything else is for tests alone.
    """

    alone = True
    # There is no public key to break, and a quantum search gains a square root of the guesses at most.
    post_quantum = True

    def __init__(self, passphrase: str, *, work_factor: int | None = None) -> None:
        self._passphrase = encode_passphrase(passphrase)
        self._work_factor = WRITTEN if work_factor is None else work_factor

    def wrap(self, file_key: bytes) -> Stanza:
        salt = os.urandom(SALT)
        body = _wrapping(self._passphrase, salt, self._work_factor).encrypt(NONCE, file_key, None)
        return Stanza(TYPE, (encode_base64(salt).decode("ascii"), str(self._work_factor)), body)


class ScryptOpener(Opener):
    """A passphrase that opens what was sealed under it.

    Args:
        passphrase: The text, as :class:`ScryptRecipient` takes it.
        highest_work_factor: The highest power of two of the cost that is computed, at most 22. A file names its own, and
            whoever sent it may want to see memory exhausted.
    """

    __slots__ = ("_highest", "_passphrase")

    def __init__(self, passphrase: str, *, highest_work_factor: int = READ) -> None:
        if not 1 <= highest_work_factor <= MOST:
            raise ConfigurationError(f"the highest work factor must lie in 1 to {MOST}, got {highest_work_factor}")
        self._passphrase = encode_passphrase(passphrase)
        self._highest = highest_work_factor

    def unwrap(self, stanza: Stanza) -> bytes | None:
        if stanza.type != TYPE:
            return None
        # A longer body could be made to verify under many passphrases, and so tell in one try which it is (Len et al., 2021).
        if len(stanza.arguments) != 2 or len(stanza.body) != FILE_KEY + TAG:
            raise OpeningError("header failure")
        salt = decode_base64(stanza.arguments[0].encode("ascii"))
        cost = stanza.arguments[1]
        if len(salt) != SALT or not DECIMAL.fullmatch(cost) or int(cost) > self._highest:
            raise OpeningError("header failure")
        try:
            return _wrapping(self._passphrase, salt, int(cost)).decrypt(NONCE, stanza.body, None)
        except InvalidTag:
            return None
        except MemoryError:  # as good as a work factor beyond the limit
            raise OpeningError("header failure") from None

    def __repr__(self) -> str:
        return "<passphrase>"


def encode_passphrase(passphrase: str) -> bytes:
    """The bytes of a passphrase.

    Raises:
        ConfigurationError: If it is empty, or has no UTF-8 form. The message never holds it.
    """
    if not passphrase:
        raise ConfigurationError("the passphrase is empty", remedy="give one that nobody guesses; six random words are enough")
    try:
        return passphrase.encode()
    except UnicodeEncodeError:
        pass
    # Raised out of the handler, since the first error holds the passphrase.
    raise ConfigurationError("the passphrase is not valid text", remedy="give it in UTF-8")


def _wrapping(passphrase: bytes, salt: bytes, work_factor: int) -> ChaCha20Poly1305:
    derivation = Scrypt(salt=LABEL + salt, length=KEY, n=1 << work_factor, r=BLOCK_SIZE, p=1)
    return ChaCha20Poly1305(derivation.derive(passphrase))
