"""A sealed file, its header verified and its payload ready to be opened at any place."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from audit.vault.age.armor import open_form
from audit.vault.age.container import NONCE, payload_key, read_file_key
from audit.vault.age.failure import OpeningError
from audit.vault.age.parties import Opener
from audit.vault.age.payload import Payload
from classifier.errors import IntegrityError, StorageError


@contextmanager
def open_sealed(source: str | Path | BufferedReader, openers: Sequence[Opener]) -> Iterator[Payload]:
    """Open a sealed file, binary or armoured, by its header and its last chunk.

    The file stays open meanwhile, so another one that takes its name changes nothing.

    Args:
        source: The file, or a pipe, which is copied to an unnamed file first: sealed as it is, it may lie on a disk.
        openers: Identities and passphrases to try.

    Raises:
        UnsealError: If the header or the last chunk is not as it was sealed, or nothing fits.
        StorageError: If the file cannot be read.
    """
    with ExitStack() as stack:
        given = source if isinstance(source, BufferedReader) else stack.enter_context(open_file(Path(source)))
        file = _by_place(given, stack)
        key = read_file_key(file, openers)
        nonce = file.read(NONCE)
        if len(nonce) < NONCE:
            raise OpeningError("header failure")
        yield Payload(file.fileno(), file.tell(), payload_key(key, nonce))


def open_file(path: Path) -> BufferedReader:
    """Open a file to read from.

    Raises:
        StorageError: If it cannot be read.
    """
    try:
        return open(path, "rb")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", remedy="check its name and permissions") from error


def require_unchanged(file: BufferedReader, before: os.stat_result, name: str) -> None:
    """Refuse what was written to since `before`: what was sealed of it never was its content.

    Raises:
        IntegrityError: If its size or its time is another.
    """
    after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise IntegrityError(f"{name} was changed while it was sealed", remedy="wait until nothing writes to it, then try again")


def _by_place(source: BufferedReader, stack: ExitStack) -> BinaryIO:
    """A binary sealed file that is read by place: `source` itself, or an unnamed copy of what is in its armour or its pipe."""
    form = open_form(source)
    if form is source and stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        return source
    copy: BinaryIO = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # the stack closes it
    if form is source:
        shutil.copyfileobj(source, copy, 1 << 20)
    else:
        buffer = memoryview(bytearray(1 << 20))
        while count := form.readinto(buffer):
            copy.write(buffer[:count])
    copy.seek(0)
    return copy
