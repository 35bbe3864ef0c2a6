"""Keys and passphrases on the command line: by file, by open descriptor, or typed at the terminal.

A secret is never an argument or an environment variable, which other processes, logs and the shell's history would show.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from classifier.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    from audit.vault import Identity

Recipients = Annotated[
    list[str] | None,
    typer.Option("--recipient", metavar="AGE1...", help="Public key to seal to; may be given several times.", show_default=False),
]
RecipientsFiles = Annotated[
    list[Path] | None, typer.Option("--recipients-file", metavar="PATH", help="File of public keys, one a line.", show_default=False)
]
RecipientType = Annotated[
    Literal["hybrid", "x25519"] | None,
    typer.Option("--recipient-type", help="Kind of key: hybrid stays shut to quantum computers, x25519 is for older age tools."),
]
IdentityFiles = Annotated[
    list[str] | None,
    typer.Option("--identity-file", metavar="PATH|fd:N", help="File of secret keys, or an open file descriptor.", show_default=False),
]
AskPassphrase = Annotated[bool, typer.Option("--passphrase", help="Ask for a passphrase at the terminal.")]
PassphraseDescriptor = Annotated[
    int | None, typer.Option("--passphrase-fd", metavar="N", help="Read the passphrase from this open file descriptor.")
]
HighestWorkFactor = Annotated[
    int, typer.Option("--highest-work-factor", metavar="N", help="Most to spend on a passphrase: 20 takes 1 GiB of memory, 22 takes 4.")
]

LONGEST_PASSPHRASE = 4096
DESCRIPTOR = re.compile(r"fd:([0-9]{1,6})")
SECRET = re.compile(r"\s*(AGE-SECRET-KEY|ASSAY-[A-Z]+-KEY)-", re.IGNORECASE)


def collect_recipients(recipients: Sequence[str] | None, files: Sequence[Path] | None, kind: str | None) -> list[str]:
    """All public keys that were named, each of them checked.

    Args:
        recipients: Public keys.
        files: Files of public keys.
        kind: What kind all of them must be, or ``None``. Where none is named, the user's own keys of this kind are taken.

    Returns:
        The public keys; none if none was named, which stands for the user's own identity.

    Raises:
        ConfigurationError: If one is none or of another kind, or the user has none of this kind.
        StorageError: If a file cannot be read.
    """
    from audit.vault import default_identities, read_recipients
    from audit.vault.keys.identity import parse_recipients

    parse_recipients(recipients or ())
    named = [*(recipients or ()), *(recipient for path in files or () for recipient in read_recipients(path))]
    if kind is None:
        return named
    if not named:
        own = [identity.recipient for identity in default_identities() if _kind(identity.recipient) == kind]
        if not own:
            raise ConfigurationError(
                f"you have no identity of kind {kind}",
                remedy=f"name a --recipient, or make one: assay keygen --recipient-type {kind} --output PATH",
            )
        return own[:1]
    others = [i for i, recipient in enumerate(named, 1) if _kind(recipient) != kind]
    if others:
        raise ConfigurationError(f"recipient {others[0]} of {len(named)} is not of kind {kind}", remedy="leave it out, or --recipient-type")
    return named


@contextmanager
def telling_of_a_new_identity() -> Iterator[None]:
    """Say on standard error if the user's own identity was made meanwhile: what is sealed to it alone is lost with it."""
    from audit.vault.keys.own_keys import IDENTITY, private_path

    path = private_path(IDENTITY)
    before = path.exists()
    yield
    if not before and path.exists():
        typer.echo(f"your identity was made, and is in {path}; keep a copy where you keep your passwords", err=True)


def collect_identities(files: Sequence[str] | None, passphrase: str | None = None) -> list[Identity]:
    """All identities of the files that were named.

    Args:
        files: Paths, or ``"fd:N"``.
        passphrase: Opens those that are sealed under one; without it, each is asked for at the terminal.

    Raises:
        ConfigurationError: If a file holds no identities, or a passphrase is needed and there is no terminal.
        UnsealError: If a file does not open under the passphrase.
        StorageError: If a file cannot be read.
    """
    from audit.vault.keys.key_files import LONGEST_FILE, parse_identity_file, read_identities

    identities: list[Identity] = []
    for name in files or ():
        if SECRET.match(name):
            raise ConfigurationError(
                "--identity-file was given a secret key, which your shell may have written down; required is the name of a file",
                remedy="take that key out of use, and put its successor into a file that only you may read",
            )
        ask = passphrase if passphrase is not None else partial(ask_passphrase, name)
        descriptor = parse_descriptor(name)
        if descriptor is None:
            identities += read_identities(name, ask)
        else:
            identities += parse_identity_file(read_descriptor(descriptor, LONGEST_FILE), name, ask)
    return identities


def read_passphrase(ask: bool, descriptor: int | None, *, what: str, twice: bool = False) -> str | None:
    """The passphrase, if one was announced; see :func:`passphrase_source` for the arguments and the errors."""
    source = passphrase_source(ask, descriptor, what=what, twice=twice)
    return None if source is None else source()


def passphrase_source(ask: bool, descriptor: int | None, *, what: str, twice: bool = False) -> Callable[[], str] | None:
    """What gives the passphrase when it is called, or ``None`` if none was announced.

    Args:
        ask: Whether to ask for it at the terminal.
        descriptor: Where to read it from instead; one newline at its end is dropped.
        what: What it opens or seals, for the question.
        twice: Whether to ask again, since a slip would shut the file for good.

    Raises:
        ConfigurationError: If both ways were chosen. When called: if it is empty, too long or no text, or there is no terminal.
        StorageError: When called, if the descriptor cannot be read.
    """
    if ask and descriptor is not None:
        raise ConfigurationError("--passphrase asks at the terminal and --passphrase-fd reads elsewhere", remedy="give one of the two")
    if descriptor is not None:
        return partial(_read_line, descriptor)
    return partial(ask_passphrase, what, twice=twice) if ask else None


def ask_passphrase(what: str, *, twice: bool = False) -> str:
    """Ask at the terminal itself, without showing what is typed, whatever standard input is.

    Raises:
        ConfigurationError: If there is no terminal, nothing was typed, or the second time something else.
    """
    import getpass
    import warnings

    try:
        # Without a terminal, getpass would read standard input and show it.
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            passphrase = getpass.getpass(f"Passphrase of {what}: ")
            again = getpass.getpass("The same again: ") if twice else passphrase
    except (OSError, EOFError, UnicodeDecodeError, getpass.GetPassWarning):
        raise ConfigurationError("no passphrase can be asked for: this is no terminal", remedy="give it with --passphrase-fd N") from None
    if not passphrase:
        raise ConfigurationError("nothing was typed", remedy="run the command again")
    if again != passphrase:
        raise ConfigurationError("the two passphrases differ", remedy="run the command again")
    return passphrase


def parse_descriptor(text: str) -> int | None:
    """The number of an open descriptor written as ``"fd:N"``, or ``None`` if it is the name of a file."""
    found = DESCRIPTOR.fullmatch(text)
    return int(found[1]) if found else None


def read_descriptor(descriptor: int, most: int) -> bytes:
    """Read an open descriptor to its end, once, and close it.

    Raises:
        ConfigurationError: If it holds more than `most` bytes.
        StorageError: If it is not open, or cannot be read.
    """
    remedy = "open it, as in: command 3< file"
    if not 0 <= descriptor < 1 << 31:
        raise StorageError(f"cannot read descriptor {descriptor}: there is none of this number", remedy=remedy)
    try:
        with open(descriptor, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise StorageError(f"cannot read descriptor {descriptor}: {error.strerror}", remedy=remedy) from None
    if len(content) > most:
        raise ConfigurationError(f"descriptor {descriptor} holds more than the {most} bytes that may be read from it")
    return content


def _kind(recipient: str) -> str:
    return "hybrid" if recipient.startswith("age1pq1") else "x25519"


def _read_line(descriptor: int) -> str:
    content = read_descriptor(descriptor, LONGEST_PASSPHRASE)
    line = content.removesuffix(b"\n")
    if line != content:
        line = line.removesuffix(b"\r")
    try:
        passphrase = line.decode()
    except UnicodeDecodeError:
        passphrase = ""
    if not passphrase or "\n" in passphrase:
        raise ConfigurationError(
            f"descriptor {descriptor} holds no passphrase, required is one line of UTF-8 text",
            remedy="write it there, and nothing else",
        )
    return passphrase
