"""``assay keygen``: make a key, keep its secret part, and print its public part."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from assay.secrets import AskPassphrase, PassphraseDescriptor, RecipientType, passphrase_source
from classifier.errors import ConfigurationError

Passphrase = Callable[[], str]
Kind = Literal["identity", "signing", "pseudonym"]


def make_key(
    kind: Annotated[Kind, typer.Option(help="identity opens files, signing signs models, pseudonym replaces names in data.")] = "identity",
    recipient_type: RecipientType = None,
    output: Annotated[
        str | None, typer.Option(metavar="PATH|-", help="Where to keep the secret; else in your configuration folder.")
    ] = None,
    unprotected: Annotated[bool, typer.Option("--unprotected", help="Keep a signing key without a passphrase.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Make none: print the public part of the key that you have.")] = False,
    passphrase: AskPassphrase = False,
    passphrase_fd: PassphraseDescriptor = None,
) -> None:
    """Make a key. Its public part is printed; its secret part goes into a file that only you may read.

    The three kinds are separate: an identity opens what was sealed to its recipient, a signing key signs, a pseudonym key
    has no public part. A signing key is sealed under a passphrase, which is asked for; a key is never replaced.
    Keep a copy of each where you keep your passwords: what is lost cannot be made again.

    Example: assay keygen --kind signing
    """
    asked = passphrase or passphrase_fd is not None
    if show:
        typer.echo(_own(kind, passphrase_source(passphrase_fd is None, passphrase_fd, what="your signing key")))
        return
    if os.environ.get("CI"):
        raise ConfigurationError("no key is made where CI is set", remedy="make it on your own machine and give the pipeline what it needs")
    if recipient_type is not None and kind != "identity":
        raise ConfigurationError(f"--recipient-type is for identities, and this is a {kind} key", remedy="leave it out")
    if unprotected and (asked or kind != "signing"):
        raise ConfigurationError("--unprotected is for a signing key without a passphrase", remedy="leave it out")
    if asked and kind == "pseudonym":
        raise ConfigurationError("a pseudonym key is not kept under a passphrase", remedy="leave the passphrase out")
    if asked and kind == "identity" and output is None:
        raise ConfigurationError(
            "your own identity is used without asking, so it takes no passphrase",
            remedy="name a file with --output",
        )

    sealed_by = None
    if asked or (kind == "signing" and not unprotected):
        sealed_by = passphrase_source(passphrase or passphrase_fd is None, passphrase_fd, what="the new key", twice=True)
    chosen = recipient_type or "hybrid"
    path, public = _keep(kind, chosen, sealed_by) if output is None else _write(output, kind, chosen, sealed_by)
    if path is not None:
        typer.echo(f"the secret key is in {path}; keep a copy where you keep your passwords", err=True)
    if public:
        typer.echo(public, err=output == "-")


def _own(kind: Kind, passphrase: Passphrase | None) -> str:
    """The public part of the key in the configuration folder."""
    from audit.vault import default_identity, default_signing_key

    if kind == "pseudonym":
        raise ConfigurationError("a pseudonym key has no public part", remedy="name another --kind")
    return default_signing_key(passphrase).public if kind == "signing" else default_identity(create=False).recipient


def _keep(kind: Kind, recipient_type: str, passphrase: Passphrase | None) -> tuple[Path, str]:
    """Make a key in the configuration folder; gives where it is, and its public part."""
    from audit.vault.keys.identity import generate_identity
    from audit.vault.keys.own_keys import IDENTITY, create_private, private_path, written_identity
    from audit.vault.keys.own_signing_key import PLAIN, SEALED, create_signing_key
    from audit.vault.keys.pseudonym_key import FILE, create_pseudonym_key

    if kind == "signing":
        public = create_signing_key(passphrase, unprotected=passphrase is None).public
        return private_path(PLAIN if passphrase is None else SEALED), public
    if kind == "pseudonym":
        create_pseudonym_key()
        return private_path(FILE), ""
    identity = generate_identity(recipient_type)
    if not create_private(IDENTITY, written_identity(identity)):
        raise _already_there(private_path(IDENTITY))
    return private_path(IDENTITY), identity.recipient


def _write(output: str, kind: Kind, recipient_type: str, passphrase: Passphrase | None) -> tuple[Path | None, str]:
    """Make a key in a file, or on standard output where the path is then ``None``."""
    from classifier.private_files import place_private

    if output == "-":
        if sys.stdout.isatty():
            raise ConfigurationError("a secret is not shown on a terminal", remedy="pipe it, or name a file with --output")
        public, content = _made(kind, recipient_type, passphrase)
        sys.stdout.buffer.write(content)
        return None, public
    path = Path(output)
    if os.path.lexists(path):
        raise _already_there(path)
    public, content = _made(kind, recipient_type, passphrase)
    if not place_private(path, content):
        raise _already_there(path)
    return path, public


def _made(kind: Kind, recipient_type: str, passphrase: Passphrase | None) -> tuple[str, bytes]:
    """A new key: its public part, and the file that keeps its secret."""
    from audit.vault import encrypt_bytes, generate_identity
    from audit.vault.keys.own_keys import written_identity
    from audit.vault.keys.own_signing_key import written_signing_key
    from audit.vault.keys.pseudonym_key import KEY_BYTES

    if kind == "pseudonym":
        return "", os.urandom(KEY_BYTES)
    if kind == "signing":
        from audit.vault.signing.keys import generate_signing_key

        key = generate_signing_key()
        return key.public, written_signing_key(key, passphrase)
    identity = generate_identity(recipient_type)
    content = written_identity(identity)
    return identity.recipient, content if passphrase is None else encrypt_bytes(content, passphrase=passphrase(), armor=True)


def _already_there(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path} is there already, and a key is never replaced", remedy="use that key, or move it elsewhere")
