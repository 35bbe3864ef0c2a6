"""Several files that take their places together, though an operating system renames them one by one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from classifier.errors import StorageError
from classifier.records import explain_storage_errors, sync_folder


@contextmanager
def files_atomically(path: Path) -> Iterator[Path]:
    """Yield an empty folder; the files in it take the places of those of the same names beside `path`, if the block succeeds.

    One rename decides. Before it, all is as it was. After it, whoever is killed has left the rest in a hidden folder, and
    `finish_files`, called first, goes on with it. The files in the folder must have been synced to the disk.

    Args:
        path: The first of the files.

    Raises:
        StorageError: If the disk is full or the folder cannot be written.
    """
    if not path.parent.is_dir():
        raise StorageError(f"there is no folder {path.parent}", remedy="check its name")
    with explain_storage_errors(path):
        draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield draft
        with explain_storage_errors(path):
            os.replace(draft, _ready(path))
            sync_folder(path.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _replace(path)


def finish_files(path: Path) -> bool:
    """Go on where a process was killed while its files took their places.

    Returns:
        Whether there was one.

    Raises:
        StorageError: If a file cannot be replaced, or was written to since: nobody knows then which of the two is wanted.
    """
    try:
        with _opened(_ready(path)) as folder:
            for name in os.listdir(folder):
                place = path.with_name(name)
                if place.exists() and place.stat().st_mtime_ns > os.stat(name, dir_fd=folder).st_mtime_ns:
                    raise StorageError(
                        f"{place} was written to after it was to be replaced by what lies in {_ready(path)}",
                        remedy="move one of them away",
                    )
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"cannot read {_ready(path)}: {error.strerror}", remedy="see to it, or move it away") from error
    _replace(path)
    return True


def _replace(path: Path) -> None:
    try:
        with _opened(_ready(path)) as folder:
            for name in sorted(os.listdir(folder)):
                os.replace(name, path.with_name(name), src_dir_fd=folder)
        sync_folder(path.parent)
        _ready(path).rmdir()
    except OSError as error:
        raise StorageError(
            f"cannot put the files in {_ready(path)} in their places: {error.strerror}",
            remedy="see to the folder, then repeat what was done",
        ) from error


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    # Through a link, whoever may write here could have files moved here from a folder that is none of theirs.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _ready(path: Path) -> Path:
    return path.with_name(f".{path.name}.ready")
