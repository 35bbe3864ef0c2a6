"""Files that hold the key of pseudonyms: 32 random bytes that only their owner may read."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from audit.deidentification.pseudonyms import KEY_BYTES
from classifier.errors import ConfigurationError, StorageError
from classifier.private_files import place_private, require_private
from classifier.records import explain_storage_errors


def create_key(path: str | Path) -> bytes:
    """Make a key and put it into a new file, mode 0600, whole or not at all.

    Raises:
        ConfigurationError: If there is a file, or ``CI`` is set: a key that a pipeline makes is lost with the pipeline.
        StorageError: If the file cannot be written.
    """
    require_new(path)
    key = secrets.token_bytes(KEY_BYTES)
    save_key(path, key)
    return key


def require_new(path: str | Path) -> None:
    """Refuse to make a key where one is, or where ``CI`` is set; see :func:`create_key`."""
    if os.environ.get("CI"):
        raise ConfigurationError("no key is made where CI is set", remedy="make one on your own machine and name its file")
    if os.path.lexists(path):
        raise ConfigurationError(f"{path} is there already, and a key is never replaced", remedy="name a new file")


def save_key(path: str | Path, key: bytes) -> None:
    """Put a key into a new file; see :func:`create_key`."""
    path = Path(path)
    with explain_storage_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not place_private(path, key):
        require_new(path)


def read_key(source: str | Path) -> bytes:
    """Read a key.

    Args:
        source: A file that only its owner may read, or ``"fd:N"``, an open file descriptor.

    Raises:
        ConfigurationError: If it does not hold exactly 32 bytes, or others than its owner could read or change it.
        StorageError: If it cannot be read.
    """
    inherited = re.fullmatch(r"fd:(\d{1,9})", str(source))
    try:
        descriptor = int(inherited[1]) if inherited else os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not inherited:
                # The open file is asked, not the path, which could by now be another file.
                require_private(Path(source), os.fstat(file.fileno()), 0o600)
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise StorageError(f"cannot read the key {source}: {error.strerror}", remedy="check its name and permissions") from error
    if len(key) != KEY_BYTES:
        held = f"{len(key)}" if len(key) <= KEY_BYTES else f"more than {KEY_BYTES}"
        raise ConfigurationError(f"{source} holds {held} bytes, required are {KEY_BYTES}", remedy="make a key with --key-file new:PATH")
    return key
