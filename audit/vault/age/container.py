"""A whole sealed file: a fresh file key, wrapped for each recipient, and the payload under it (c2sp.org/age)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.vault.age import scrypt
from audit.vault.age.failure import OpeningError
from audit.vault.age.header import MOST_STANZAS, Header, Lines, read_header, write_header
from audit.vault.age.parties import Opener, Recipient
from audit.vault.age.stream import Sink, Source, decrypt_stream, encrypt_stream, fill
from classifier.errors import ConfigurationError

FILE_KEY, NONCE = 16, 16


class Sealed(Source, Lines, Protocol):
    """A sealed file to read from: its header by lines, its payload by blocks."""


def encrypt(source: Source, sink: Sink, recipients: Sequence[Recipient]) -> None:
    """Write a sealed file that each of `recipients` can open, in constant memory.

    Raises:
        ConfigurationError: If `recipients` may not stand in one header; see :func:`wrap_header`.
    """
    header, file_key = new_header(recipients)
    nonce = os.urandom(NONCE)
    sink.write(memoryview(header + nonce))
    encrypt_stream(source, sink, payload_key(file_key, nonce))


def decrypt(source: Sealed, sink: Sink, openers: Sequence[Opener]) -> None:
    """Open a sealed file, in constant memory. Until this returns, use nothing that was written to `sink`.

    Raises:
        OpeningError: If no opener fits, or anything was changed.
    """
    file_key = read_file_key(source, openers)
    nonce = bytearray(NONCE)
    if fill(source, memoryview(nonce)) < NONCE:
        raise OpeningError("header failure")
    decrypt_stream(source, sink, payload_key(file_key, bytes(nonce)))


def new_header(recipients: Sequence[Recipient]) -> tuple[bytes, bytes]:
    """Make a file key and the header that hands it to `recipients`.

    Returns:
        The header, and the file key ``(16 bytes)``.

    Raises:
        ConfigurationError: If `recipients` may not stand in one header; see :func:`wrap_header`.
    """
    file_key = os.urandom(FILE_KEY)
    return wrap_header(file_key, recipients), file_key


def wrap_header(file_key: bytes, recipients: Sequence[Recipient]) -> bytes:
    """The header that hands a file key ``(16 bytes)`` to `recipients`.

    Raises:
        ConfigurationError: If there is no recipient or there are more than a header may name, if a passphrase is not
            alone, or if some recipients are post-quantum and some are not: the weakest would undo what the others are for.
    """
    if not 1 <= len(recipients) <= MOST_STANZAS:
        raise ConfigurationError(f"a sealed file has 1 to {MOST_STANZAS} recipients, got {len(recipients)}")
    if len(recipients) > 1 and any(recipient.alone for recipient in recipients):
        raise ConfigurationError(
            f"a passphrase must be the only recipient of its file, got {len(recipients)}",
            remedy="seal to the passphrase, or to the recipients",
        )
    if len({recipient.post_quantum for recipient in recipients}) > 1:
        classical = sum(not recipient.post_quantum for recipient in recipients)
        raise ConfigurationError(
            f"of {len(recipients)} recipients {classical} are not post-quantum: one such opens the file to a quantum computer",
            remedy="ask for a hybrid recipient, age1pq1..., in its place, or seal two files",
        )
    return write_header([recipient.wrap(file_key) for recipient in recipients], file_key)


def read_file_key(source: Lines, openers: Sequence[Opener]) -> bytes:
    """Read and verify the header, and leave `source` where the payload begins.

    Stanzas of unknown kinds are passed over, as the format asks.

    Returns:
        The file key ``(16 bytes)``.

    Raises:
        OpeningError: If the header is malformed or changed, or no opener fits.
    """
    return find_file_key(read_header(source), openers)


def find_file_key(header: Header, openers: Sequence[Opener]) -> bytes:
    """The file key ``(16 bytes)`` that a header hands to one of `openers`; the header is verified with it.

    Raises:
        OpeningError: If the header was changed, or no opener fits.
    """
    # Whoever seals under a passphrase alone proves to know it; beside another recipient, anyone could have sealed.
    if len(header.stanzas) > 1 and any(stanza.type == scrypt.TYPE for stanza in header.stanzas):
        raise OpeningError("header failure")
    for opener in openers:
        for stanza in header.stanzas:
            file_key = opener.unwrap(stanza)
            if file_key is not None:
                header.verify(file_key)
                return file_key
    raise OpeningError("no match")


def payload_key(file_key: bytes, nonce: bytes) -> bytes:
    """The key of a payload ``(32 bytes)``, from the file key ``(16 bytes)`` and the nonce before the payload ``(16 bytes)``."""
    return HKDF(SHA256(), 32, salt=nonce, info=b"payload").derive(file_key)
