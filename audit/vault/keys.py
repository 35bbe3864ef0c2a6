"""The user's own identity: kept in the configuration folder, made once, readable by its owner only."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from audit.vault.identity import LONGEST_FILE, Identity, generate_identity, parse_identity_file
from classifier.errors import ConfigurationError, StorageError
from classifier.records import explain_storage_errors, sync_folder

FOLDER, FILE = "assay", "identity.txt"


def default_identity(*, create: bool = True) -> Identity:
    """The identity in the user's configuration folder.

    It is in ``$XDG_CONFIG_HOME/assay/identity.txt``, or ``~/.config/assay/identity.txt``. Processes that
    make it at the same time get the same one. Where the variable ``CI`` is set, none is made: a key
    that a pipeline makes is lost with the pipeline, and with it what was sealed to it.

    Args:
        create: Whether to make one if there is none.

    Raises:
        ConfigurationError: If there is none and none may be made, or if others than its owner could read or replace it.
        StorageError: If the folder cannot be written.
    """
    if os.name != "posix":
        raise ConfigurationError(
            f"a default identity is kept on POSIX systems only, and this one is {os.name!r}", remedy="give recipients= or identities="
        )
    path = _configuration() / FOLDER / FILE
    try:
        return _read(path)
    except FileNotFoundError:
        if not create:
            raise ConfigurationError(
                f"there is no identity in {path}", remedy="give identities=, or read a file with read_identities"
            ) from None
    if os.environ.get("CI"):
        raise ConfigurationError(
            f"there is no identity in {path}, and none is made where CI is set",
            remedy="give [seal] recipients in audit.toml, or recipients= in Python",
        )
    with explain_storage_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_private(path.parent, os.stat(path.parent), 0o700)
        _create(path)
        return _read(path)


def _configuration() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME")
    if configured and not Path(configured).is_absolute():
        raise ConfigurationError(f"XDG_CONFIG_HOME must be an absolute path, got {configured!r}", remedy="correct it, or unset it")
    return Path(configured) if configured else Path.home() / ".config"


def _read(path: Path) -> Identity:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"cannot read the identity {path}: {error.strerror}", remedy="check its owner and permissions") from error
    with open(descriptor, "rb") as file:
        # The open file is asked, not the path, which could by now be another file.
        _require_private(path, os.fstat(descriptor), 0o600)
        _require_private(path.parent, os.stat(path.parent), 0o700)
        return parse_identity_file(file.read(LONGEST_FILE + 1), str(path))[0]


def _create(path: Path) -> None:
    """Put a new identity at `path`, unless there is one by now."""
    identity = generate_identity()
    content = f"# public key: {identity.recipient}\n{identity.reveal()}\n"
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with open(descriptor, "wb") as file:
            file.write(content.encode())
            file.flush()
            os.fsync(descriptor)
        # A link, unlike a rename, never replaces a file; unlike an exclusive open, it shows none that is half written.
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        sync_folder(path.parent)
    finally:
        os.unlink(draft)


def _require_private(path: Path, status: os.stat_result, widest: int) -> None:
    """Refuse what another user owns, or may read or write. For a link, `status` is that of what it leads to."""
    if status.st_uid != os.geteuid():
        raise ConfigurationError(f"{path} belongs to user {status.st_uid}, required is {os.geteuid()}", remedy="take a folder of your own")
    mode = stat.S_IMODE(status.st_mode)
    if mode & ~widest:
        raise ConfigurationError(
            f"{path} has mode {mode:04o}, required is {widest:04o} or narrower", remedy=f"run: chmod {widest:o} {path}"
        )
