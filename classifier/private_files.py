"""Files that only their owner may read, as keys are."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from classifier.errors import ConfigurationError, StorageError
from classifier.records import explain_storage_errors, sync_folder


def place_private(path: Path, content: bytes) -> bool:
    """Put a file at `path` that only its owner may read, whole or not at all, unless something is there.

    Returns:
        Whether it was put there.

    Raises:
        StorageError: If the folder cannot be written, or its file system knows no hard links.
    """
    with explain_storage_errors(path):
        try:
            descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        except FileNotFoundError as error:
            raise StorageError(f"there is no folder {path.parent}", remedy="make it first, or choose another") from error
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            # A link, unlike a rename, never replaces a file; unlike an exclusive open, it shows none that is half written.
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
            except PermissionError as error:
                raise StorageError(
                    f"cannot make {path}: its file system may know no hard links", remedy="choose a folder on another disk"
                ) from error
            sync_folder(path.parent)
        finally:
            os.unlink(draft)
    return True


def require_private(path: Path, status: os.stat_result, widest: int) -> None:
    """Refuse what another user owns, or may read or write.

    Args:
        path: What it is called in an error.
        status: That of the open file, which the path may no longer lead to. For a link, that of what it leads to.
        widest: The mode that it may have at most, ``0o600``.

    Raises:
        ConfigurationError: If it belongs to someone else, or its mode is wider.
    """
    if status.st_uid != os.geteuid():
        raise ConfigurationError(f"{path} belongs to user {status.st_uid}, required is {os.geteuid()}", remedy="take one of your own")
    mode = stat.S_IMODE(status.st_mode)
    if mode & ~widest:
        raise ConfigurationError(
            f"{path} has mode {mode:04o}, required is {widest:04o} or narrower", remedy=f"run: chmod {widest:o} {path}"
        )
