"""Identities and recipients: made, read from their text, and read from identity files as age keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.vault.age import bech32
from audit.vault.age.header import VERSION
from audit.vault.age.parties import Identity, Recipient
from audit.vault.age.x25519 import KEY, X25519Identity, X25519Recipient
from classifier.errors import ConfigurationError, StorageError, did_you_mean

__all__ = ["Identity", "generate_identity", "parse_identities", "parse_recipients", "read_identities"]

KINDS = {"x25519": X25519Identity}
# An identity takes 75 bytes; whatever is longer than this is no identity file.
LONGEST_FILE = 1 << 20
ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"


def generate_identity(kind: str = "x25519") -> Identity:
    """Make a new identity, from the operating system's randomness.

    Args:
        kind: ``"x25519"``, which every age tool reads.

    Raises:
        ConfigurationError: If there is no such kind.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"there is no kind of identity {kind!r}", remedy=did_you_mean(kind, KINDS))
    return KINDS[kind].generate()


def parse_recipients(recipients: Sequence[str]) -> list[Recipient]:
    """Read public keys, ``"age1..."``.

    Raises:
        ConfigurationError: If one is none. It is named by its position, since a secret may stand there by mistake.
    """
    if isinstance(recipients, str):
        raise ConfigurationError("recipients must be a list of strings, got one string", remedy="put it in brackets")
    return [_recipient(text, f"recipient {i} of {len(recipients)}") for i, text in enumerate(recipients, 1)]


def parse_identities(identities: Sequence[Identity | str]) -> list[Identity]:
    """Take identities, or read their revealed text, ``"AGE-SECRET-KEY-1..."``.

    Raises:
        ConfigurationError: If one is none. The message never holds what was given.
    """
    if isinstance(identities, str | Identity):
        raise ConfigurationError("identities must be a list, got one alone", remedy="put it in brackets")
    return [
        identity if isinstance(identity, Identity) else _identity(identity, f"identity {i} of {len(identities)}")
        for i, identity in enumerate(identities, 1)
    ]


def read_identities(path: str | Path) -> list[Identity]:
    """Read an identity file: one identity a line, comments after ``#``, empty lines.

    Raises:
        StorageError: If it cannot be read.
        ConfigurationError: If a line is no identity, or there is none. The message names the line and never holds it.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise StorageError(f"cannot read the identity file {path}: {error.strerror}", remedy="check its name and permissions") from error
    return parse_identity_file(content, str(path))


def parse_identity_file(content: bytes, name: str) -> list[Identity]:
    """Read the content of an identity file; `name` says in an error where it came from."""
    if len(content) > LONGEST_FILE:
        raise ConfigurationError(f"{name} is longer than the {LONGEST_FILE} bytes that an identity file may have")
    if content.startswith((VERSION, ARMOR)):
        raise ConfigurationError(f"{name} is encrypted, and this release reads plain identity files only", remedy="decrypt it with age")
    lines = [line.strip() for line in content.decode("utf-8", errors="replace").split("\n")]
    identities = [_identity(line, f"line {i} of {name}") for i, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not identities:
        raise ConfigurationError(f"{name} holds no identity", remedy="an identity is a line that starts with AGE-SECRET-KEY-1")
    return identities


def _recipient(text: str, where: str) -> Recipient:
    prefix, key = _key(text, where, "a recipient is age1 and 58 more characters")
    if prefix == X25519Identity.prefix:
        raise ConfigurationError(
            f"{where} is a secret identity", remedy="give its recipient, which starts with age1, and keep it to yourself"
        )
    if prefix != X25519Recipient.prefix or len(key) != KEY:
        raise ConfigurationError(f"{where} is of no kind that this release knows", remedy="a recipient is age1 and 58 more characters")
    return X25519Recipient(key)


def _identity(text: str, where: str) -> Identity:
    prefix, key = _key(text, where, "an identity is AGE-SECRET-KEY-1 and 58 more characters")
    if prefix == X25519Recipient.prefix:
        raise ConfigurationError(
            f"{where} is a recipient, which opens nothing", remedy="give the identity, which starts with AGE-SECRET-KEY-1"
        )
    if prefix != X25519Identity.prefix or len(key) != KEY:
        raise ConfigurationError(
            f"{where} is of no kind that this release knows", remedy="an identity is AGE-SECRET-KEY-1 and 58 more characters"
        )
    return X25519Identity(key)


def _key(text: str, where: str, form: str) -> tuple[str, bytes]:
    try:
        return bech32.decode(text)
    except ValueError as error:
        raise ConfigurationError(f"{where} cannot be read: {error}", remedy=form) from None
