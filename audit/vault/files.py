"""Sealing and opening files, and bytes in memory."""

from __future__ import annotations

from collections.abc import Sequence
from io import BufferedReader, BytesIO
from pathlib import Path

from audit.vault.age.container import decrypt, encrypt
from audit.vault.age.parties import Identity, Recipient
from audit.vault.identity import parse_identities, parse_recipients
from audit.vault.keys import default_identity
from classifier.errors import StorageError
from classifier.records import file_atomically


def encrypt_file(source: str | Path, destination: str | Path, *, recipients: Sequence[str] = ()) -> None:
    """Seal a file, in constant memory.

    Args:
        source: Any file.
        destination: The age v1 file to make, readable by everyone. What is there is replaced, once the new one is whole.
        recipients: Public keys, ``"age1..."``; by default the user's own, whose identity is made if there is none.

    Raises:
        ConfigurationError: If a recipient is none, or none was given where none is made.
        StorageError: If a file cannot be read or written; `destination` is then as it was.
    """
    readers = _recipients(recipients)
    with _open(source) as plain, file_atomically(Path(destination)) as sealed:
        encrypt(plain, sealed, readers)


def decrypt_file(source: str | Path, destination: str | Path, *, identities: Sequence[Identity | str] = ()) -> None:
    """Open a sealed file, in constant memory.

    Args:
        source: An age v1 file.
        destination: The plaintext, readable by its owner only. What is there is replaced, once everything verified.
        identities: Identities, or their revealed text; by default the user's own.

    Raises:
        UnsealError: If anything is wrong with the file, or no identity fits; `destination` is then as it was.
        ConfigurationError: If an identity is none, or none was given and the user has none.
        StorageError: If a file cannot be read or written; `destination` is then as it was.
    """
    keys = _identities(identities)
    with _open(source) as sealed, file_atomically(Path(destination), mode=0o600) as plain:
        decrypt(sealed, plain, keys)


def encrypt_bytes(content: bytes, *, recipients: Sequence[str] = ()) -> bytes:
    """Seal bytes, as :func:`encrypt_file` seals a file."""
    sealed = BytesIO()
    encrypt(BytesIO(content), sealed, _recipients(recipients))
    return sealed.getvalue()


def decrypt_bytes(content: bytes, *, identities: Sequence[Identity | str] = ()) -> bytes:
    """Open sealed bytes, as :func:`decrypt_file` opens a file; all or nothing."""
    plain = BytesIO()
    decrypt(BytesIO(content), plain, _identities(identities))
    return plain.getvalue()


def read_sealed(source: str | Path, *, identities: Sequence[Identity | str] = ()) -> bytes:
    """Open a sealed file into memory, so that its plaintext never touches the disk."""
    keys = _identities(identities)
    plain = BytesIO()
    with _open(source) as sealed:
        decrypt(sealed, plain, keys)
    return plain.getvalue()


def _recipients(recipients: Sequence[str]) -> list[Recipient]:
    return parse_recipients(recipients or (default_identity().recipient,))


def _identities(identities: Sequence[Identity | str]) -> list[Identity]:
    return parse_identities(identities or (default_identity(create=False),))


def _open(path: str | Path) -> BufferedReader:
    try:
        return open(path, "rb")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", remedy="check its name and permissions") from error
