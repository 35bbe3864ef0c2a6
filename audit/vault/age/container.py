"""A whole sealed file: a fresh file key, wrapped for each recipient, and the payload under it (c2sp.org/age)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.vault.age.failure import OpeningError
from audit.vault.age.header import MOST_STANZAS, Lines, read_header, write_header
from audit.vault.age.parties import Identity, Recipient
from audit.vault.age.stream import Sink, Source, decrypt_stream, encrypt_stream, fill
from classifier.errors import ConfigurationError

FILE_KEY, NONCE = 16, 16


class Sealed(Source, Lines, Protocol):
    """A sealed file to read from: its header by lines, its payload by blocks."""


def encrypt(source: Source, sink: Sink, recipients: Sequence[Recipient]) -> None:
    """Write a sealed file that each of `recipients` can open, in constant memory.

    Raises:
        ConfigurationError: If there is no recipient, or there are more than a header may name.
    """
    if not 1 <= len(recipients) <= MOST_STANZAS:
        raise ConfigurationError(f"a sealed file has 1 to {MOST_STANZAS} recipients, got {len(recipients)}")
    file_key, nonce = os.urandom(FILE_KEY), os.urandom(NONCE)
    header = write_header([recipient.wrap(file_key) for recipient in recipients], file_key)
    sink.write(memoryview(header + nonce))
    encrypt_stream(source, sink, _payload_key(file_key, nonce))


def decrypt(source: Sealed, sink: Sink, identities: Sequence[Identity]) -> None:
    """Open a sealed file, in constant memory. Until this returns, use nothing that was written to `sink`.

    Raises:
        OpeningError: If no identity fits, or anything was changed.
    """
    file_key = read_file_key(source, identities)
    nonce = bytearray(NONCE)
    if fill(source, memoryview(nonce)) < NONCE:
        raise OpeningError("header failure")
    decrypt_stream(source, sink, _payload_key(file_key, bytes(nonce)))


def read_file_key(source: Lines, identities: Sequence[Identity]) -> bytes:
    """Read and verify the header, and leave `source` where the payload begins.

    Stanzas of unknown kinds are passed over, as the format asks.

    Returns:
        The file key ``(16 bytes)``.

    Raises:
        OpeningError: If the header is malformed or changed, or no identity fits.
    """
    header = read_header(source)
    for identity in identities:
        for stanza in header.stanzas:
            file_key = identity.unwrap(stanza)
            if file_key is not None:
                header.verify(file_key)
                return file_key
    raise OpeningError("no match")


def _payload_key(file_key: bytes, nonce: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=nonce, info=b"payload").derive(file_key)
