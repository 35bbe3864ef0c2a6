"""Signing keys and whose word is taken, on the command line."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.secrets import SECRET, ask_passphrase, parse_descriptor, passphrase_source, read_descriptor
from classifier.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    from audit.vault import SigningKey, TrustStore

Sign = Annotated[bool, typer.Option("--sign", help="Sign with your own signing key.")]
SigningKeyFile = Annotated[
    str | None, typer.Option("--signing-key", metavar="PATH|fd:N", help="Sign with the key in this file instead.", show_default=False)
]
SigningPassphraseDescriptor = Annotated[
    int | None, typer.Option("--signing-passphrase-fd", metavar="N", help="Read the signing key's passphrase from this descriptor.")
]
ModelId = Annotated[str | None, typer.Option("--model", metavar="ID", help="What the model is called; by default as its file.")]
ModelVersion = Annotated[
    int | None, typer.Option("--model-version", metavar="N", help="Its version, which rises from release to release; else 1.")
]
TrustFile = Annotated[Path | None, typer.Option("--trust", metavar="TRUST.TOML", help="Whose word is taken: a trust store.")]
Signers = Annotated[
    list[str] | None,
    typer.Option("--signer", metavar="KEY", help="A public key whose word is taken, or a file with it.", show_default=False),
]


def collect_signers(sign: bool, key_file: str | None, passphrase_fd: int | None) -> list[SigningKey]:
    """The signing key that was named, if one was.

    Args:
        sign: Whether to take the user's own.
        key_file: A path, or ``"fd:N"``.
        passphrase_fd: Where its passphrase is read from; without it, it is asked for at the terminal.

    Raises:
        ConfigurationError: If there is none there, or a passphrase is needed and there is no terminal.
        UnsealError: If it does not open under the passphrase.
        StorageError: If the file cannot be read.
    """
    from audit.vault.keys.key_files import LONGEST_FILE
    from audit.vault.keys.own_signing_key import default_signing_key, parse_signing_key_file, read_signing_key

    if not sign and key_file is None:
        if passphrase_fd is not None:
            raise ConfigurationError("--signing-passphrase-fd is for a signing key, and none signs", remedy="give --sign, or leave it out")
        return []
    ask = passphrase_source(False, passphrase_fd, what="the signing key") or partial(ask_passphrase, "the signing key")
    if key_file is None:
        return [default_signing_key(ask)]
    if SECRET.match(key_file):
        raise ConfigurationError(
            "--signing-key was given a secret key, which your shell may have written down; required is the name of a file",
            remedy="take that key out of use, and put its successor into a file that only you may read",
        )
    descriptor = parse_descriptor(key_file)
    if descriptor is None:
        return [read_signing_key(key_file, ask)]
    return [parse_signing_key_file(read_descriptor(descriptor, LONGEST_FILE), key_file, ask)]


def collect_trust(trust: Path | None, signers: list[str] | None) -> TrustStore | None:
    """The trust store, or the public keys, whose word is taken; ``None`` if neither was named.

    Raises:
        ConfigurationError: If both were, or they do not fit.
        StorageError: If a file cannot be read.
    """
    from audit.vault.signing.keys import PUBLIC_PREFIX
    from audit.vault.signing.trust_store import TrustStore

    if trust is not None and signers:
        raise ConfigurationError(
            "--trust and --signer exclude each other", remedy="put the signer into the trust store, or give one of the two"
        )
    if trust is not None:
        return TrustStore.read(trust)
    keys = []
    for signer in signers or ():
        if not signer.lower().startswith((f"{PUBLIC_PREFIX}1", "assay-signing-key-")):
            try:
                signer = Path(signer).read_text(encoding="ascii").strip()
            except (OSError, ValueError) as error:
                raise StorageError("--signer is no public key, and no file that holds one", remedy="give assaysigner1...") from error
        keys.append(signer)
    return TrustStore.of(keys) if keys else None
