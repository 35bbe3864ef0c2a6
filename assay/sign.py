"""``assay sign``: add a statement about a sealed model, or sign a bundle."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from assay.secrets import (
    AskPassphrase,
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
    model_version: ModelVersion = 1,
    recipients: Recipients = None,
    recipients_file: RecipientsFiles = None,
    identity_file: IdentityFiles = None,
    passphrase: AskPassphrase = False,
    passphrase_fd: PassphraseDescriptor = None,
) -> None:
    """Sign with your own signing key, or with the one that you name.

    What is stated of a model lies beside it, sealed to the recipients that you name: give those of the model. Every
    tensor is held against its digest before. What others stated stays as it is.

    Example: assay sign model.safetensors.age --as releaser --model credit --model-version 3
    """
    from audit.attestation import read_audited, sign_bundle
    from audit.vault import sign

    if path.is_dir() and (role not in (None, "auditor") or audit is not None or recipients or recipients_file):
        raise ConfigurationError(
            f"{path} is a bundle, which an auditor signs as it stands", remedy="give the key, --model and --model-version"
        )
    (key,) = collect_signers(True, signing_key, signing_passphrase_fd)
    if path.is_dir():
        sign_bundle(path, key, model_id=model or path.resolve().name, version=model_version, now=datetime.datetime.now(datetime.UTC))
        typer.echo(str(path / "attestation.dsse.json"))
        return
    written = sign(
        path,
        key,
        role=role or "releaser",
        audit=None if audit is None else read_audited(audit),
        model_id=model,
        version=model_version,
        identities=collect_identities(identity_file),
        passphrase=read_passphrase(passphrase, passphrase_fd, what=str(path)),
        recipients=collect_recipients(recipients, recipients_file, None),
    )
    for file in written:
        typer.echo(str(file))
