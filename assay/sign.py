"""``assay sign``: add a statement about a sealed model, or sign a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from assay.files import Force
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
from assay.signing import ModelId, ModelVersion, SigningKeyFile, SigningPassphraseDescriptor, collect_signers
from classifier.errors import ConfigurationError


def sign_path(
    path: Annotated[Path, typer.Argument(help="A sealed model, or the folder of a bundle.", metavar="PATH")],
    role: Annotated[
        Literal["trainer", "auditor", "releaser", "packager"] | None,
        typer.Option("--as", help="What you speak as: of a bundle auditor, else releaser."),
    ] = None,
    audit: Annotated[Path | None, typer.Option(metavar="BUNDLE", help="As auditor of a model: the bundle of the audit.")] = None,
    signing_key: SigningKeyFile = None,
    signing_passphrase_fd: SigningPassphraseDescriptor = None,
    model: ModelId = None,
    model_version: ModelVersion = None,
    recipients: Recipients = None,
    recipients_file: RecipientsFiles = None,
    identity_file: IdentityFiles = None,
    passphrase: AskPassphrase = False,
    passphrase_fd: PassphraseDescriptor = None,
    highest_work_factor: HighestWorkFactor = 20,
    force: Force = False,
) -> None:
    """Sign with your own signing key, or with the one that you name.

    A bundle names model and version itself, if it was opened on somebody's word; signed by another key, it stays so
    unless --force is given. What is stated of a model lies beside it, sealed to the recipients that you name: give
    those of the model. Every tensor is held against its digest before. What others stated stays as it is.

    Example: assay sign model.safetensors.age --as releaser --model credit --model-version 3
    """
    if path.is_dir():
        if (
            role not in (None, "auditor")
            or audit
            or recipients
            or recipients_file
            or identity_file
            or passphrase
            or passphrase_fd is not None
        ):
            raise ConfigurationError(
                f"{path} is a bundle, which an auditor signs as it stands", remedy="give the key, --model and --model-version, and no more"
            )
        from audit.attestation import sign_bundle

        (key,) = collect_signers(True, signing_key, signing_passphrase_fd)
        sign_bundle(path, key, model_id=model, version=model_version, replace=force)
        typer.echo(str(path / "attestation.dsse.json"))
        return
    if force:
        raise ConfigurationError("--force is for a bundle that another key has signed", remedy="leave it out: statements accumulate")
    from audit.attestation import read_audited
    from audit.vault import sign

    (key,) = collect_signers(True, signing_key, signing_passphrase_fd)
    written = sign(
        path,
        key,
        role=role or "releaser",
        audit=None if audit is None else read_audited(audit),
        model_id=model,
        version=1 if model_version is None else model_version,
        identities=collect_identities(identity_file),
        passphrase=read_passphrase(passphrase, passphrase_fd, what=str(path)),
        highest_work_factor=highest_work_factor,
        recipients=collect_recipients(recipients, recipients_file, None),
    )
    for file in written:
        typer.echo(str(file))
