"""Records: canonical JSON, digests, and files that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path
from typing import Any, TypeVar

from classifier.errors import IntegrityError, StorageError

Record = TypeVar("Record")


def canonical_json(value: Any) -> bytes:
    """Encode JSON-able data the one way: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: If a number is not finite; a missing number is ``None`` with a reason.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`, in hexadecimal."""
    return sha256(canonical_json(value))


def sha256(data: bytes | bytearray | memoryview) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal, in constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _adapter(kind: Any) -> Any:
    # pydantic reads and writes plain dataclasses; nothing but file formats depends on it.
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def as_record(value: Any) -> Any:
    """Turn a dataclass into JSON-able data."""
    return _adapter(type(value)).dump_python(value, mode="json")


def write_record(path: Path, value: Any) -> None:
    """Write a dataclass, or JSON-able data, as canonical JSON, whole or not at all."""
    write_atomically(path, canonical_json(as_record(value)) + b"\n")


def read_record(kind: type[Record], path: Path) -> Record:
    """Read a dataclass back from its canonical JSON.

    Raises:
        IntegrityError: If the file is missing or does not hold such a record.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise IntegrityError(f"{path} is missing", remedy="take the whole bundle, or run the audit again") from error
    return parse_record(kind, content, str(path))


def parse_record(kind: type[Record], content: bytes, source: str) -> Record:
    """Read a dataclass back from canonical JSON that came from `source`."""
    try:
        record: Record = _adapter(kind).validate_json(content, extra="forbid")
    except ValueError as error:
        raise IntegrityError(
            f"{source} does not hold a {kind.__name__}: {str(error).splitlines()[0]}",
            remedy="it was written by a newer release, or changed since",
        ) from error
    return record


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write `content` beside `path`, sync it to the disk, and rename it into place.

    Raises:
        StorageError: If the disk is full or the folder cannot be written; `path` is then as it was.
    """
    with file_atomically(path, mode=mode) as file:
        file.write(content)


@contextmanager
def file_atomically(path: Path, *, mode: int = 0o644) -> Iterator[BufferedWriter]:
    """Yield a file beside `path` that takes its place, synced to the disk, if the block succeeds.

    Until then only its owner may read it; what was at `path` is left as it was if the block fails.

    Raises:
        StorageError: If the disk is full or the folder cannot be written.
    """
    with explain_storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, mode)
            os.replace(name, path)
            sync_folder(path.parent)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def folder_atomically(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` that takes its place if the block succeeds.

    An existing folder at `path` is replaced then, and left as it was if the block fails.
    """
    with explain_storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        os.chmod(draft, 0o755)
        try:
            yield draft
            replace_folder(draft, path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def require_replaceable(folder: Path, marker: str) -> None:
    """Refuse to put something where other things lie.

    Args:
        folder: What is to be replaced; it may be absent or empty.
        marker: The file by which a folder of the same kind is known.

    Raises:
        StorageError: If there is something else; nothing of it is touched.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise StorageError(f"{folder} holds other files, and would be replaced", remedy="name a new folder with --output")
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is a file, required is a folder", remedy="name a new folder with --output")


def require_only(folder: Path, names: Collection[str]) -> None:
    """Refuse to put a folder where anything lies that it does not replace.

    Args:
        folder: What is to be replaced; it may be absent or empty.
        names: The files that may lie there.

    Raises:
        StorageError: If something else lies there; nothing of it is touched.
    """
    with explain_storage_errors(folder):
        if not os.path.lexists(folder):
            return
        with os.scandir(folder) as entries:
            others = sorted(entry.name for entry in entries if entry.name not in names or not entry.is_file())
    if others:
        raise StorageError(f"{folder} holds {others[0]!r}, which would be lost", remedy="name a new folder with --output")


def replace_folder(draft: Path, path: Path) -> None:
    """Put the folder `draft` where `path` is, keeping what was there until the new one stands.

    On Linux a kill leaves the one or the other there. Elsewhere, or where the file system cannot trade names, it may leave the one
    that was there under the name ``.NAME.previous``.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    for folder, _, files in os.walk(draft):
        for name in files:
            with open(os.path.join(folder, name), "rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(folder))
    previous = draft if _trade(draft, path) else _rename(draft, path)
    sync_folder(path.parent)
    shutil.rmtree(previous, ignore_errors=True)


def _trade(first: Path, second: Path) -> bool:
    """Let two folders trade names in one step, and tell whether they did: both must be there, and the system able to."""
    if sys.platform != "linux":
        return False
    import ctypes

    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename is not None and rename(here, os.fsencode(first), here, os.fsencode(second), exchange) == 0


def _rename(draft: Path, path: Path) -> Path:
    """Do it in two steps; where the folder is now that was there before."""
    previous = path.with_name(f".{path.name}.previous")
    # Where a crash left `previous` and no `path`, it is the only copy: it goes when the new one stands.
    if path.exists():
        shutil.rmtree(previous, ignore_errors=True)
        os.replace(path, previous)
    try:
        os.replace(draft, path)
    except OSError:
        if previous.exists():
            os.replace(previous, path)
        raise
    return previous


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explain_storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal into an error with a remedy."""
    try:
        yield
    except OSError as error:
        remedies = {
            errno.ENOSPC: "free some space, or write to another disk; what was there is unchanged",
            errno.EDQUOT: "your disk quota is used up; what was there is unchanged",
            errno.EFBIG: "it would be larger than the limit of your account or of the disk; what was there is unchanged",
            errno.EIO: "the disk or the connection to it fails; write to another",
            errno.EMFILE: "raise the limit of open files (ulimit -n), then try again",
            errno.ENFILE: "the system has no more open files; close other programs, then try again",
            errno.EACCES: "choose a folder that you may write to",
            errno.EPERM: "choose a folder that you may write to",
            errno.EROFS: "choose a folder that can be written to",
            errno.EISDIR: "a folder is in the way of the file; move it, or choose another name",
            errno.ENOTDIR: "a file is in the way of the folder; move it, or choose another name",
            errno.EEXIST: "a file is in the way of the folder; move it, or choose another name",
            errno.ELOOP: "links lead round in a circle; choose another folder",
            errno.ENAMETOOLONG: "choose a shorter name: while it is written, a file has 10 characters more",
        }
        if error.errno not in remedies:
            raise
        raise StorageError(f"cannot write {path}: {error.strerror}", remedy=remedies[error.errno]) from error
