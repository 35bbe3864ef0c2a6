"""A sealed file, its header verified and its payload ready to be opened at any place."""

from __future__ import annotations

import errno
import os
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
from audit.vault.age.payload import Payload, write_at
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
        full = error.errno in (errno.EMFILE, errno.ENFILE)
        remedy = "raise the limit of open files (ulimit -n), then try again" if full else "check its name and permissions"
        raise StorageError(f"cannot read {path}: {error.strerror}", remedy=remedy) from error


def require_unchanged(file: BufferedReader, before: os.stat_result, name: str) -> None:
    """Refuse what was written to since `before`: what was sealed of it never was its content.

    Raises:
        IntegrityError: If its size or one of its times is another, or more can be read of it than its size says, as of the files by
            which a system tells about itself.
    """
    # Whoever writes may set back the time of the content, and not that of the change.
    after = os.fstat(file.fileno())
    if any(getattr(before, part) != getattr(after, part) for part in ("st_size", "st_mtime_ns", "st_ctime_ns")):
        raise IntegrityError(f"{name} was changed while it was sealed", remedy="wait until nothing writes to it, then try again")
    if os.pread(file.fileno(), 1, before.st_size):
        raise IntegrityError(f"{name} is longer than its size, {before.st_size} bytes", remedy="seal a copy of it")


def _by_place(source: BufferedReader, stack: ExitStack) -> BinaryIO:
    """A binary sealed file that is read by place: `source` itself, or an unnamed copy of what is in its armour or its pipe."""
    form = open_form(source)
    if form is source and stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        return source
    try:
        copy: BinaryIO = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # the stack closes it
        buffer, size = memoryview(bytearray(1 << 20)), 0
        while count := form.readinto(buffer):
            write_at(copy.fileno(), buffer[:count], size)
            size += count
    except OSError as error:
        raise StorageError(
            f"cannot copy what is sealed into a temporary file: {error.strerror}",
            remedy="free some space in the folder of such files, or name one on another disk in TMPDIR",
        ) from error
    return copy
