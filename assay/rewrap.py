"""``assay rewrap``: other recipients for a sealed file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.secrets import (
    AskPassphrase,
    HighestWorkFactor,
    IdentityFiles,
    PassphraseDescriptor,
    Recipients,
    RecipientsFiles,
    collect_identities,
    collect_recipients,
    read_passphrase,
)
from assay.signing import Sign, SigningKeyFile, SigningPassphraseDescriptor, collect_signers


def rewrap_file(
    file: Annotated[Path, typer.Argument(help="The sealed file, or the sealed index of shards.", metavar="FILE")],
    recipients: Recipients = None,
    recipients_file: RecipientsFiles = None,
    identity_file: IdentityFiles = None,
    passphrase: AskPassphrase = False,
    passphrase_fd: PassphraseDescriptor = None,
    highest_work_factor: HighestWorkFactor = 20,
    new_passphrase: Annotated[bool, typer.Option("--new-passphrase", help="Ask for a passphrase to seal it under.")] = False,
    new_passphrase_fd: Annotated[
        int | None, typer.Option("--new-passphrase-fd", metavar="N", help="Read the new passphrase from this descriptor.")
    ] = None,
    reencrypt: Annotated[bool, typer.Option("--reencrypt", help="Encrypt the content anew, under a new file key.")] = False,
    allow_classical: Annotated[
        bool, typer.Option("--allow-classical", help="Let recipients in that a quantum computer will break.")
    ] = False,
    sign: Sign = False,
    signing_key: SigningKeyFile = None,
    signing_passphrase_fd: SigningPassphraseDescriptor = None,
) -> None:
    """Give a sealed file, and the statements beside it, other recipients in place of those that it has.

    The payload stays as it is unless --reencrypt is given. This takes nothing back: whoever could open the file can
    still open their copies, and with the file key, if they kept it, this one too.

    Example: assay rewrap model.safetensors.age --recipient age1pq1...
    """
    from audit.vault.rewrapping import NOTHING_IS_TAKEN_BACK, SAME_FILE_KEY, rewrap

    done = rewrap(
        file,
        identities=collect_identities(identity_file),
        passphrase=read_passphrase(passphrase, passphrase_fd, what=str(file)),
        highest_work_factor=highest_work_factor,
        recipients=collect_recipients(recipients, recipients_file, None),
        new_passphrase=read_passphrase(new_passphrase, new_passphrase_fd, what="the file from now on", twice=True),
        reencrypt=reencrypt,
        allow_classical=allow_classical,
        signers=collect_signers(sign, signing_key, signing_passphrase_fd),
    )
    for path in done.files:
        typer.echo(f"rewrapped  {path}")
    for path in done.reissued:
        typer.echo(f"signed     {path}")
    for path in done.left:
        typer.echo(f"left       {path}: it did not open")
    for path in done.outdated:
        typer.echo(f"outdated   {path}: its signer has to issue it anew (assay sign --as packager)")
    typer.echo(NOTHING_IS_TAKEN_BACK if reencrypt else f"{NOTHING_IS_TAKEN_BACK} {SAME_FILE_KEY}", err=True)
