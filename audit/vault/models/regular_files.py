"""Files that a stranger may have put beside others: read only where they are plain files, which end and never make their reader wait."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from classifier.errors import StorageError


def open_regular(path: Path) -> BufferedReader:
    """Open a plain file to read from.

    Raises:
        StorageError: If it cannot be read, or is a pipe, a folder or a device.
    """
    try:
        # A pipe that nobody writes to would be waited for.
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    except OSError as error:
        full = error.errno in (errno.EMFILE, errno.ENFILE)
        remedy = "raise the limit of open files (ulimit -n), then try again" if full else "check its name and permissions"
        raise StorageError(f"cannot read {path}: {error.strerror}", remedy=remedy) from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise StorageError(f"{path} is no plain file", remedy="take it out, or name another file")
    return file
