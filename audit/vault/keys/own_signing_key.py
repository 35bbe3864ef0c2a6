"""The user's own signing key: in the configuration folder, sealed under a passphrase unless its owner says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from audit.vault.files import encrypt_bytes
from audit.vault.keys.key_files import Passphrase, key_lines, read_key_file, reveal_key_file
from audit.vault.keys.own_keys import create_private, private_path, read_private
from classifier.errors import ConfigurationError

if TYPE_CHECKING:
    from audit.vault.signing.keys import SigningKey

SEALED, PLAIN = "signing-key.age", "signing-key.txt"


def default_signing_key(passphrase: Passphrase | None = None) -> SigningKey:
    """The signing key in the user's configuration folder. None is made, since a new signer is trusted by nobody.

    It is in ``signing-key.age``, an armoured age file under a passphrase, or in ``signing-key.txt``.

    Args:
        passphrase: What it is sealed under, or a function that asks for it and is called only if it is sealed.

    Raises:
        ConfigurationError: If there is none or there are two, a passphrase is needed and not given, or others than its
            owner could read or replace it.
        UnsealError: If it does not open under the passphrase.
        StorageError: If it cannot be read.
    """
    sealed, plain = read_private(SEALED), read_private(PLAIN)
    if sealed is not None and plain is not None:
        raise ConfigurationError(
            f"there are two signing keys, {private_path(SEALED)} and {PLAIN} beside it", remedy="move one of them elsewhere"
        )
    if plain is not None:
        return parse_signing_key_file(plain, str(private_path(PLAIN)))
    if sealed is not None:
        return parse_signing_key_file(sealed, str(private_path(SEALED)), passphrase)
    raise ConfigurationError(f"there is no signing key in {private_path(SEALED)}", remedy="make one with: assay keygen --kind signing")


def read_signing_key(path: str | Path, passphrase: Passphrase | None = None) -> SigningKey:
    """Read a signing key from a file elsewhere; see :func:`parse_signing_key_file` for the errors.

    Raises:
        StorageError: If it cannot be read.
    """
    return parse_signing_key_file(read_key_file(path, "the signing key"), str(path), passphrase)


def create_signing_key(passphrase: Passphrase | None = None, *, unprotected: bool = False) -> SigningKey:
    """Make a signing key and keep it in the user's configuration folder.

    Args:
        passphrase: What to seal it under, or a function that asks for it and is called only if there is no key yet.
        unprotected: Whether to keep it in the clear instead; whoever reads the file then signs in its owner's name.

    Raises:
        ConfigurationError: If there is one already, the variable ``CI`` is set, or neither or both of the two ways were chosen.
        StorageError: If the folder cannot be written.
    """
    from audit.vault.signing.keys import generate_signing_key

    if unprotected is (passphrase is not None):
        raise ConfigurationError("a signing key is sealed under a passphrase or kept unprotected", remedy="choose one of the two")
    for name in (SEALED, PLAIN):
        if read_private(name) is not None:
            raise _already_there(name)
    key = generate_signing_key()
    name = PLAIN if unprotected else SEALED
    if not create_private(name, written_signing_key(key, passphrase)):
        raise _already_there(name)
    return key


def written_signing_key(key: SigningKey, passphrase: Passphrase | None) -> bytes:
    """The file of a signing key: sealed under the passphrase, or in the clear without one. Keep it secret in either case."""
    content = f"# public key: {key.public}\n{key.reveal()}\n".encode()
    if passphrase is None:
        return content
    return encrypt_bytes(content, passphrase=passphrase if isinstance(passphrase, str) else passphrase(), armor=True)


def parse_signing_key_file(content: bytes, name: str, passphrase: Passphrase | None = None) -> SigningKey:
    """Read the content of a signing key's file; `name` says in an error where it came from.

    Raises:
        ConfigurationError: If it holds no signing key or several, or a passphrase is needed and not given.
        UnsealError: If it does not open under the passphrase.
    """
    from audit.vault.signing.keys import parse_signing_key

    lines = key_lines(reveal_key_file(content, name, passphrase), name)
    if len(lines) != 1:
        raise ConfigurationError(
            f"{name} holds {len(lines)} keys, required is one", remedy="a signing key is a line that starts with ASSAY-SIGNING-KEY-1"
        )
    return parse_signing_key(lines[0][0])


def _already_there(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"there is a signing key in {private_path(name)}", remedy="use it, or move it elsewhere: a key that is replaced is lost"
    )
