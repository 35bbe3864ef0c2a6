"""Opening: files of data, plain or sealed; what is in a sealed one never reaches a disk."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO, Protocol

from classifier.errors import DataError
from classifier.records import sha256

SEALED = ".age"
# What is read at once to see that a sealed file is whole.
_AT_ONCE = 1 << 20


class Opener(Protocol):
    """Opens sealed files. This floor knows no ciphers: `audit.vault` does it."""

    def open(self, path: Path) -> BinaryIO:
        """The plaintext as a file that can be read from any place, in constant memory.

        Raises:
            UnsealError: If the file does not open; also later, when a part that was changed is read.
        """
        ...

    def read(self, path: Path) -> tuple[bytes, str]:
        """The plaintext, all or nothing, and the SHA-256 of the sealed bytes that it was opened from."""
        ...

    def secret(self, path: Path) -> bytes:
        """Bytes ``(32)`` that are always the same for one sealed file, and that nobody knows who cannot open it."""
        ...


class Confidence:
    """The secrets of the sealed files that something came from, 32 bytes each."""

    def __init__(self) -> None:
        self._secrets: set[bytes] = set()

    def note(self, secret: bytes | None) -> None:
        """Take in that of one more file, or ``None`` for one that is plain."""
        if secret is not None:
            self._secrets.add(secret)

    @property
    def secret(self) -> bytes | None:
        """One of them all ``(32 bytes)``; ``None`` where nothing was sealed."""
        if len(self._secrets) < 2:
            return next(iter(self._secrets), None)
        return hashlib.sha256(b"".join(sorted(self._secrets))).digest()


_opener: ContextVar[Opener | None] = ContextVar("opener", default=None)
_confidence: ContextVar[Confidence | None] = ContextVar("confidence", default=None)


@contextmanager
def opening_with(opener: Opener) -> Iterator[None]:
    """Within, sealed files are opened by `opener`."""
    token = _opener.set(opener)
    try:
        yield
    finally:
        _opener.reset(token)


@contextmanager
def in_confidence(*secrets: bytes | None) -> Iterator[Confidence]:
    """Within, the secret of every sealed file that is opened is noted; :func:`stays_in_memory` holds from the first one on.

    Args:
        secrets: Those that are known before, beside that of a block around this one.
    """
    confidence, around = Confidence(), _confidence.get()
    for secret in (*secrets, None if around is None else around.secret):
        confidence.note(secret)
    token = _confidence.set(confidence)
    try:
        yield confidence
    finally:
        _confidence.reset(token)


def stays_in_memory() -> bool:
    """Whether what is at work came from sealed files, so that none of it may be laid on a disk."""
    confidence = _confidence.get()
    return confidence is not None and confidence.secret is not None


def keyed_digest(content: bytes, secret: bytes | None) -> str:
    """SHA-256 of what was read, in hexadecimal; of what was sealed, its HMAC-SHA-256 with the secret.

    A plain digest of rows that can be guessed, which a record shows to everyone, would confirm the guess.
    """
    return sha256(content) if secret is None else hmac.digest(secret, content, "sha256").hex()


def open_file(path: Path) -> BinaryIO:
    """Open a file of data to read it piece by piece, from any place.

    A sealed file is read to its end first: a row is worth nothing if a later one shows that somebody changed the file.

    Raises:
        DataError: If it is sealed, and nothing is at hand to open it.
        UnsealError: If it is sealed and does not open, or anything of it was changed.
    """
    if not is_sealed(path):
        return path.open("rb")
    file = _at_hand(path).open(path)
    while file.read(_AT_ONCE):
        pass
    file.seek(0)
    return file


def read_file(path: Path) -> tuple[bytes, str]:
    """Read a file of data whole; see :func:`open_file` for the errors.

    Returns:
        What is in it, and the SHA-256 of the file as it lies there: of a sealed one, of the sealed bytes, since the digest
        of what is in it would let anyone confirm a guess.
    """
    if is_sealed(path):
        return _at_hand(path).read(path)
    content = path.read_bytes()
    return content, sha256(content)


def is_sealed(path: Path) -> bool:
    """Whether the name of a file says that it is sealed."""
    return path.suffix.lower() == SEALED


def plain_name(path: Path) -> Path:
    """The name without ``.age`` at its end, which tells what kind of file is sealed."""
    return path.with_suffix("") if is_sealed(path) else path


def require_kind(path: Path) -> None:
    """Refuse a sealed file whose name does not tell what is in it.

    Raises:
        DataError: With how to name it.
    """
    if is_sealed(path) and not plain_name(path).suffix:
        raise DataError(
            f"{path.name} is sealed, and its name does not tell what is in it",
            remedy=f"name it as the file was named before, such as {path.stem}.csv{SEALED}",
        )


def require_alike(paths: Iterable[Path], where: Path) -> None:
    """Refuse files of one data set of which some are sealed and some are not: the plain ones were forgotten, or slipped in.

    Raises:
        DataError: With one of each.
    """
    files = list(paths)
    plain, sealed = (next((path for path in files if is_sealed(path) is kind), None) for kind in (False, True))
    if plain is not None and sealed is not None:
        raise DataError(f"in {where}, {sealed.name} is sealed and {plain.name} is not", remedy="seal all files of a data set, or none")


def find_file(path: Path) -> Path:
    """The file `path`, or its sealed form where that is there in its place.

    Raises:
        DataError: If both are there.
    """
    sealed = path.with_name(path.name + SEALED)
    if not sealed.is_file():
        return path
    require_alike([sealed, *([path] if path.is_file() else [])], path.parent)
    return sealed


def opener_at_hand(path: Path) -> Opener:
    """What opens sealed files.

    Raises:
        DataError: If nothing does; `path` is what was to be opened.
    """
    opener = _opener.get()
    if opener is None:
        raise DataError(
            f"{path.name} is sealed, and no identity is at hand to open it",
            remedy="in Python, read it within `with audit.vault.opening():`; or give its plain form",
        )
    return opener


def _at_hand(path: Path) -> Opener:
    """What opens sealed files, once it has told the secret of this one."""
    opener = opener_at_hand(path)
    confidence = _confidence.get()
    if confidence is not None:
        confidence.note(opener.secret(path))
    return opener
