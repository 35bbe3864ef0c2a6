"""The user's own key of pseudonyms: 32 random bytes, which encrypt and sign nothing."""

from __future__ import annotations

import os

from audit.vault.keys.own_keys import create_private, private_path, read_private
from classifier.errors import ConfigurationError

KEY_BYTES = 32
FILE = "pseudonym.key"


def default_pseudonym_key() -> bytes:
    """The key of pseudonyms in the user's configuration folder ``(32 bytes)``.

    None is made: pseudonyms under a new key match none that were given out before.

    Raises:
        ConfigurationError: If there is none, it is none, or others than its owner could read or replace it.
        StorageError: If it cannot be read.
    """
    path, key = private_path(FILE), read_private(FILE)
    if key is None:
        raise ConfigurationError(f"there is no key in {path}", remedy="make one with: assay keygen --kind pseudonym")
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{path} holds {len(key)} bytes, required are {KEY_BYTES}", remedy="restore it from your copy")
    return key


def create_pseudonym_key() -> None:
    """Make a key of pseudonyms, and keep it in the user's configuration folder.

    Raises:
        ConfigurationError: If there is one already, or the variable ``CI`` is set.
        StorageError: If the folder cannot be written.
    """
    if not create_private(FILE, os.urandom(KEY_BYTES)):
        raise ConfigurationError(
            f"there is a key in {private_path(FILE)}", remedy="use it, or move it elsewhere: a key that is replaced is lost"
        )
