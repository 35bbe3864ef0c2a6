"""Sealing and opening files, and bytes in memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from io import BufferedReader, BytesIO
from pathlib import Path

from audit.vault.age.armor import ArmorWriter, open_form
from audit.vault.age.container import decrypt, encrypt
from audit.vault.age.parties import Identity, Opener, Recipient
from audit.vault.age.plaintext import OnDisk, Plaintext
from audit.vault.age.scrypt import READ, ScryptOpener, ScryptRecipient
from audit.vault.age.stream import Sink, Source
from audit.vault.age.writing import write_sealed
from audit.vault.keys.identity import parse_identities, parse_recipients
from audit.vault.keys.own_keys import default_identities, default_identity
from audit.vault.sealed_file import open_file, open_sealed, require_unchanged
from classifier.errors import ConfigurationError
from classifier.records import file_atomically


def encrypt_file(
    source: str | Path, destination: str | Path, *, recipients: Sequence[str] = (), passphrase: str | None = None, armor: bool = False
) -> None:
    """Seal a file, in constant memory.

    Args:
        source: Any file.
        destination: The age v1 file to make, readable by everyone. What is there is replaced, once the new one is whole.
        recipients: Public keys, ``"age1pq1..."`` or ``"age1..."``, not both kinds; by default the user's own, whose
            identity is made if there is none.
        passphrase: Seal under it instead. Its UTF-8 bytes count as they are.
        armor: Whether to write text, which is a third longer, for channels that carry no bytes.

    Raises:
        ConfigurationError: If a recipient is none, they may not be mixed, or none was given where none is made.
        StorageError: If a file cannot be read or written; `destination` is then as it was.
        IntegrityError: If `source` changed while it was read.
    """
    readers = resolve_recipients(recipients, passphrase)
    with open_file(Path(source)) as plain, file_atomically(Path(destination)) as sealed:
        before = os.fstat(plain.fileno())
        regular = stat.S_ISREG(before.st_mode)
        if armor or not regular:
            write_form(plain, sealed, readers, armor)
        else:
            write_sealed(Plaintext([OnDisk(plain.fileno(), 0, before.st_size, str(source))]), sealed, readers)
        if regular:
            require_unchanged(plain, before, str(source))


def decrypt_file(
    source: str | Path,
    destination: str | Path,
    *,
    identities: Sequence[Identity | str] = (),
    passphrase: str | None = None,
    highest_work_factor: int = READ,
) -> None:
    """Open a sealed file, binary or armoured, in constant memory.

    Args:
        source: An age v1 file.
        destination: The plaintext, readable by its owner only. What is there is replaced, once everything verified.
        identities: Identities, or their revealed text; by default the user's own, unless a passphrase is given.
        passphrase: Tried where the file is sealed under one.
        highest_work_factor: The most that a file may ask to be spent on its passphrase, as a power of two, at most 22;
            20 takes 1 GiB of memory.

    Raises:
        UnsealError: If anything is wrong with the file, or nothing fits; `destination` is then as it was.
        ConfigurationError: If an identity is none, or none was given and the user has none.
        StorageError: If a file cannot be read or written; `destination` is then as it was.
    """
    openers = resolve_openers(identities, passphrase, highest_work_factor)
    with open_sealed(source, openers) as payload, file_atomically(Path(destination), mode=0o600) as plain:
        payload.extract(plain)


def encrypt_bytes(content: bytes, *, recipients: Sequence[str] = (), passphrase: str | None = None, armor: bool = False) -> bytes:
    """Seal bytes, as :func:`encrypt_file` seals a file."""
    sealed = BytesIO()
    write_form(BytesIO(content), sealed, resolve_recipients(recipients, passphrase), armor)
    return sealed.getvalue()


def decrypt_bytes(
    content: bytes, *, identities: Sequence[Identity | str] = (), passphrase: str | None = None, highest_work_factor: int = READ
) -> bytes:
    """Open sealed bytes, as :func:`decrypt_file` opens a file; all or nothing."""
    plain = BytesIO()
    openers = resolve_openers(identities, passphrase, highest_work_factor)
    decrypt(open_form(BufferedReader(BytesIO(content))), plain, openers)
    return plain.getvalue()


def read_sealed(
    source: str | Path, *, identities: Sequence[Identity | str] = (), passphrase: str | None = None, highest_work_factor: int = READ
) -> bytes:
    """Open a sealed file into memory, so that its plaintext never touches the disk."""
    openers = resolve_openers(identities, passphrase, highest_work_factor)
    with open_sealed(source, openers) as payload:
        return payload.read()


def resolve_recipients(recipients: Sequence[str], passphrase: str | None) -> list[Recipient]:
    """Whom to seal to: the passphrase, or the recipients, or else the user's own identity, which is made if there is none."""
    if passphrase is None:
        return parse_recipients(recipients or (default_identity().recipient,))
    if recipients:
        raise ConfigurationError(
            f"a passphrase must be the only recipient of its file, got {len(recipients)} more",
            remedy="give recipients or a passphrase, not both",
        )
    return [ScryptRecipient(passphrase)]


def resolve_openers(identities: Sequence[Identity | str], passphrase: str | None, highest_work_factor: int = READ) -> list[Opener]:
    """What to try: identities and the passphrase that were given, or else all identities of the user's own."""
    if passphrase is not None:
        return [*parse_identities(identities), ScryptOpener(passphrase, highest_work_factor=highest_work_factor)]
    return [*parse_identities(identities or default_identities(create=False))]


def write_form(source: Source, sink: Sink, recipients: Sequence[Recipient], armor: bool) -> None:
    """Seal all that comes out of `source` as it comes, binary or armoured.

    Raises:
        ConfigurationError: If the recipients may not stand in one header.
    """
    if not armor:
        encrypt(source, sink, recipients)
        return
    armored = ArmorWriter(sink)
    encrypt(source, armored, recipients)
    armored.close()
