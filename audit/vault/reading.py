"""Sealed files of data, read as if they were plain: opened piece by piece, in memory alone."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.vault.age.armor import open_form
from audit.vault.age.container import decrypt, read_file_key
from audit.vault.age.header import Stanza
from audit.vault.age.parties import Identity, Opener
from audit.vault.age.payload import BLOCK
from audit.vault.files import resolve_openers
from audit.vault.sealed_file import open_sealed
from classifier.errors import StorageError, UnsealError
from classifier.opening import opening_with

# Tells this use of a file key from those that the format knows, `header` and `payload`.
SECRET = b"assay digest of sealed data"
# Stanzas of which an opener knows what they unwrap to: those of the files of a folder that is read twice.
REMEMBERED = 256


@contextmanager
def opening(*, identities: Sequence[Identity | str] = (), passphrase: str | None = None) -> Iterator[None]:
    """Within, sealed files of data are read like plain ones: ``Dataset.read("loans.csv.age", target="default")``.

    Args:
        identities: Identities, or their revealed text; by default the user's own, unless a passphrase is given.
        passphrase: Tried where a file is sealed under one.

    Raises:
        ConfigurationError: If an identity is none, or none was given and the user has none.
    """
    openers = resolve_openers(identities, passphrase)
    with opening_with(SealedFiles(lambda: openers)):
        yield


class SealedReader(io.RawIOBase):
    """The plaintext of a sealed file, binary or armoured, as a file that can be read from any place.

    It has as much of it in memory as one block, and gives out nothing that did not verify. What was never read was never
    verified either, but for the last chunk.

    Args:
        path: The sealed file. It stays open meanwhile.
        openers: What to try.

    Raises:
        UnsealError: If the header or the last chunk is not as it was sealed, or nothing fits; when reading, if what was
            to be read was changed.
        StorageError: If the file cannot be read.
    """

    def __init__(self, path: Path, openers: Sequence[Opener]) -> None:
        self._name = path.name
        self._open = ExitStack()
        with _named(self._name):
            self._payload = self._open.enter_context(open_sealed(path, openers))
        self._fill = self._payload.opener()
        self._block, self._start = memoryview(b""), 0
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The byte of the plaintext that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a byte of the plaintext, counted from its start, from here or from its end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._payload.size}[whence]
        if base + offset < 0:
            raise ValueError(f"a place in a file is at least 0, got {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # every buffer can be viewed as bytes
        """Read up to the buffer's size; 0 at the end."""
        self._checkClosed()
        view = memoryview(buffer).cast("B")
        if self._at >= self._payload.size or not view:
            return 0
        if not self._start <= self._at < self._start + len(self._block):
            self._load(self._at - self._at % BLOCK)
        taken = self._block[self._at - self._start :][: len(view)]
        view[: len(taken)] = taken
        self._at += len(taken)
        return len(taken)

    def close(self) -> None:
        """Close the sealed file."""
        self._open.close()
        self._block = memoryview(b"")
        super().close()

    def _load(self, start: int) -> None:
        """Have one block at hand, or none of it if any of it was changed."""
        self._block = memoryview(b"")
        block = memoryview(bytearray(min(BLOCK, self._payload.size - start)))
        with _named(self._name):
            self._fill(block, start)
        self._block, self._start = block, start


@dataclass(frozen=True)
class SealedFiles:
    """Opens the files that were sealed to somebody; see `classifier.opening.Opener`.

    Args:
        find: Gives what to try, when the first sealed file is met: who has plain data needs no identity.
    """

    find: Callable[[], Sequence[Opener]]

    def open(self, path: Path) -> BinaryIO:
        """The plaintext as a file that can be read from any place, in constant memory."""
        return io.BufferedReader(SealedReader(path, self.openers))

    def read(self, path: Path) -> tuple[bytes, str]:
        """The plaintext, all or nothing, and the SHA-256 of the sealed bytes that it was opened from."""
        plain = io.BytesIO()
        with _named(path.name), _read_once(path) as source:
            decrypt(open_form(io.BufferedReader(source)), plain, self.openers)
            return plain.getvalue(), source.digest.hexdigest()

    def secret(self, path: Path) -> bytes:
        """Bytes that are always the same for one sealed file, and that nobody knows who cannot open it."""
        with _named(path.name), _read_once(path) as source:
            file_key = read_file_key(open_form(io.BufferedReader(source)), self.openers)
        return HKDF(SHA256(), 32, salt=None, info=SECRET).derive(file_key)

    @cached_property
    def openers(self) -> list[Opener]:
        """What to try."""
        return [_Remembering(opener) for opener in self.find()]


class _Remembering(Opener):
    """An opener that remembers what it unwrapped last: a file is opened several times, and a passphrase takes a second each."""

    __slots__ = ("_unwrap",)

    def __init__(self, opener: Opener) -> None:
        self._unwrap = lru_cache(REMEMBERED)(opener.unwrap)

    def unwrap(self, stanza: Stanza) -> bytes | None:
        return self._unwrap(stanza)


class _Hashing(io.RawIOBase):
    """A file that is hashed as it is read, so that the digest is of the very bytes that were opened."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # every buffer can be viewed as bytes
        view = memoryview(buffer).cast("B")
        count = self._file.readinto(view)  # type: ignore[attr-defined]  # every binary file has it
        self.digest.update(view[:count])
        return int(count)


@contextmanager
def _read_once(path: Path) -> Iterator[_Hashing]:
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115  # it is closed below
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", remedy="check its name and permissions") from error
    with file:
        yield _Hashing(file)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say which file did not open, and nothing else of why."""
    try:
        yield
    except UnsealError as error:
        raise UnsealError(f"{name}: {error.problem}", remedy=error.remedy) from None
