"""Files of identities and of recipients, as age keeps them: one a line, comments after ``#``, empty lines."""

from __future__ import annotations

from collections.abc import Callable
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import TypeVar

from audit.vault.age.armor import BEGIN, open_form
from audit.vault.age.container import decrypt
from audit.vault.age.header import VERSION
from audit.vault.age.parties import Identity, Recipient
from audit.vault.age.scrypt import ScryptOpener
from audit.vault.keys.identity import parse_identity, parse_recipient
from classifier.errors import ConfigurationError, StorageError, UnsealError

# A hybrid recipient takes 1,960 bytes; whatever is longer than this is no file of keys.
LONGEST_FILE = 1 << 20

#: A passphrase, or what asks for it, which is called only where one is needed.
Passphrase = str | Callable[[], str]
Key = TypeVar("Key", Identity, tuple[str, Recipient])


def read_identities(path: str | Path, passphrase: Passphrase | None = None) -> list[Identity]:
    """Read an identity file: plain, or itself sealed under a passphrase, binary or armoured.

    Args:
        path: The file.
        passphrase: What it is sealed under, or a function that asks for it and is called only if it is sealed.

    Raises:
        StorageError: If it cannot be read.
        ConfigurationError: If a line is no identity, or there is none, or a passphrase is needed and not given. The
            message names the line and never holds it.
        UnsealError: If it does not open under the passphrase.
    """
    return parse_identity_file(read_key_file(path, "the identity file"), str(path), passphrase)


def parse_identity_file(content: bytes, name: str, passphrase: Passphrase | None = None) -> list[Identity]:
    """Read the content of an identity file; `name` says in an error where it came from."""
    plain = reveal_key_file(content, name, passphrase)
    return _parsed(plain, name, parse_identity, "identity", "an identity is a line that starts with AGE-SECRET-KEY-")


def read_recipients(path: str | Path) -> list[str]:
    """Read a file of recipients, each of them checked.

    Raises:
        StorageError: If it cannot be read.
        ConfigurationError: If a line is no recipient, or there is none. The message names the line and never holds it.
    """
    content, name = read_key_file(path, "the file of recipients"), str(path)

    def checked(text: str, where: str) -> tuple[str, Recipient]:
        return text, parse_recipient(text, where)

    return [text for text, _ in _parsed(content, name, checked, "recipient", "a recipient is a line that starts with age1")]


def read_key_file(path: str | Path, what: str) -> bytes:
    """The content of a file of keys, as much of it as one may have; `what` names it in an error."""
    try:
        with open(path, "rb") as file:
            return file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise StorageError(f"cannot read {what} {path}: {error.strerror}", remedy="check its name and permissions") from error


def reveal_key_file(content: bytes, name: str, passphrase: Passphrase | None) -> bytes:
    """What a file of secret keys says: its content as it is, or what it opens to if it is sealed under a passphrase."""
    _require_short(content, name)
    if not content.lstrip().startswith((VERSION.rstrip(), BEGIN)):
        return content
    if passphrase is None:
        raise ConfigurationError(f"{name} is sealed under a passphrase", remedy="give its passphrase, or open it with an age tool")
    opener = ScryptOpener(passphrase if isinstance(passphrase, str) else passphrase())
    plain = BytesIO()
    try:
        decrypt(open_form(BufferedReader(BytesIO(content))), plain, [opener])
    except UnsealError:
        # Whatever it was, it reads the same; only which file it was is told, since a sealed file may be at hand too.
        raise UnsealError(
            f"{name} did not open", remedy="check its passphrase, and that it is whole and sealed under a passphrase alone"
        ) from None
    return plain.getvalue()


def key_lines(content: bytes, name: str) -> list[tuple[str, str]]:
    """The lines that hold a key, each with what to call it in an error."""
    _require_short(content, name)
    lines = [line.strip() for line in content.decode("utf-8", errors="replace").split("\n")]
    return [(line, f"line {i} of {name}") for i, line in enumerate(lines, 1) if line and not line.startswith("#")]


def _parsed(content: bytes, name: str, parse: Callable[[str, str], Key], noun: str, form: str) -> list[Key]:
    keys = [parse(line, where) for line, where in key_lines(content, name)]
    if not keys:
        raise ConfigurationError(f"{name} holds no {noun}", remedy=form)
    return keys


def _require_short(content: bytes, name: str) -> None:
    if len(content) > LONGEST_FILE:
        raise ConfigurationError(f"{name} is longer than the {LONGEST_FILE} bytes that a file of keys may have")
