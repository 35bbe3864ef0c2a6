"""The user's own keys: in the configuration folder, made once, readable by their owner only."""

from __future__ import annotations

import os
from pathlib import Path

from audit.vault.age.parties import Identity
from audit.vault.keys.identity import generate_identity
from audit.vault.keys.key_files import LONGEST_FILE, Passphrase, parse_identity_file
from classifier.errors import ConfigurationError, StorageError
from classifier.private_files import place_private, require_private
from classifier.records import explain_storage_errors

FOLDER, IDENTITY = "assay", "identity.txt"


def default_identity(*, create: bool = True, passphrase: Passphrase | None = None) -> Identity:
    """The first identity in the user's configuration folder, which files are sealed to by default.

    See :func:`default_identities` for the arguments and the errors.
    """
    return default_identities(create=create, passphrase=passphrase)[0]


def default_identities(*, create: bool = True, passphrase: Passphrase | None = None) -> list[Identity]:
    """The identities in the user's configuration folder, all of which are tried to open a file.

    They are in ``$XDG_CONFIG_HOME/assay/identity.txt``, or ``~/.config/assay/identity.txt``. Processes that
    make the first one at the same time get the same one. Where the variable ``CI`` is set, none is made: a key
    that a pipeline makes is lost with the pipeline, and with it what was sealed to it.

    Args:
        create: Whether to make a hybrid one if there is none.
        passphrase: What the file is sealed under, or what asks for it, if its owner has sealed it.

    Raises:
        ConfigurationError: If there is none and none may be made, or if others than its owner could read or replace it.
        UnsealError: If the file is sealed and does not open under the passphrase.
        StorageError: If the folder cannot be written.
    """
    path = private_path(IDENTITY)
    content = read_private(IDENTITY)
    if content is None and not create:
        raise ConfigurationError(
            f"there is no identity in {path}",
            remedy="make one with assay keygen, or give an identity file: --identity-file, or identities= in Python",
        )
    if content is None:
        remedy = "give a --recipient, [seal] recipients in audit.toml, or recipients= in Python"
        _refuse_in_pipeline(path, remedy)
        create_private(IDENTITY, written_identity(generate_identity()))
        # Another process may have been faster, and then its identity is the one that counts.
        content = read_private(IDENTITY)
        if content is None:
            raise StorageError(f"{path} was removed while it was made", remedy="run the same command again")
    return parse_identity_file(content, str(path), passphrase)


def written_identity(identity: Identity) -> bytes:
    """An identity file that holds `identity`. Keep it secret."""
    return f"# public key: {identity.recipient}\n{identity.reveal()}\n".encode()


def private_path(name: str) -> Path:
    """Where the key file `name` is, or would be.

    Raises:
        ConfigurationError: If this system keeps none, or ``XDG_CONFIG_HOME`` is no absolute path.
    """
    if os.name != "posix":
        raise ConfigurationError(
            f"keys are kept on POSIX systems only, and this one is {os.name!r}", remedy="give recipients= or identities="
        )
    configured = os.environ.get("XDG_CONFIG_HOME")
    if configured and not Path(configured).is_absolute():
        raise ConfigurationError(f"XDG_CONFIG_HOME must be an absolute path, got {configured!r}", remedy="correct it, or unset it")
    return (Path(configured) if configured else Path.home() / ".config") / FOLDER / name


def read_private(name: str) -> bytes | None:
    """The content of the key file `name`, or ``None`` if there is none.

    Raises:
        ConfigurationError: If others than its owner could read or replace it.
        StorageError: If it cannot be read.
    """
    path = private_path(name)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read the key {path}: {error.strerror}", remedy="check its owner and permissions") from error
    with open(descriptor, "rb") as file:
        # The open file is asked, not the path, which could by now be another file.
        require_private(path, os.fstat(descriptor), 0o600)
        require_private(path.parent, os.stat(path.parent), 0o700)
        return file.read(LONGEST_FILE + 1)


def create_private(name: str, content: bytes) -> bool:
    """Put a key file `name` into the configuration folder, unless there is one.

    Returns:
        Whether `content` is what stands there now; if not, there was one before, or someone else was faster.

    Raises:
        ConfigurationError: If the variable ``CI`` is set, or others than its owner could read or replace the folder.
        StorageError: If the folder cannot be written.
    """
    path = private_path(name)
    _refuse_in_pipeline(path, "make it on a machine of your own, and give the pipeline what it needs of it")
    with explain_storage_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_private(path.parent, os.stat(path.parent), 0o700)
    return place_private(path, content)


def _refuse_in_pipeline(path: Path, remedy: str) -> None:
    if os.environ.get("CI"):
        raise ConfigurationError(f"there is no key in {path}, and none is made where CI is set", remedy=remedy)
