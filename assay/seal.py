"""``assay seal``: encrypt a model, or any other file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from assay.files import Force, require_free
from assay.secrets import (
    AskPassphrase,
    PassphraseDescriptor,
    Recipients,
    RecipientsFiles,
    RecipientType,
    collect_recipients,
    read_passphrase,
    telling_of_a_new_identity,
)
from assay.signing import ModelId, ModelVersion, Sign, SigningKeyFile, SigningPassphraseDescriptor, collect_signers
from classifier.errors import ConfigurationError


def seal_path(
    source: Annotated[str, typer.Argument(help="A file, the folder of a saved classifier, or - for standard input.", metavar="SOURCE")],
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="PATH|-", help="Where to; by default SOURCE.age.")] = None,
    recipients: Recipients = None,
    recipients_file: RecipientsFiles = None,
    recipient_type: RecipientType = None,
    passphrase: AskPassphrase = False,
    passphrase_fd: PassphraseDescriptor = None,
    armor: Annotated[bool, typer.Option("--armor", help="Write text, for channels that carry no bytes.")] = False,
    sign: Sign = False,
    signing_key: SigningKeyFile = None,
    signing_passphrase_fd: SigningPassphraseDescriptor = None,
    model: ModelId = None,
    model_version: ModelVersion = None,
    force: Force = False,
) -> None:
    """Encrypt a file to recipients, or under a passphrase; without either, to yourself.

    A safetensors file and a saved classifier are sealed with the digests of their tensors, and can be signed; of an
    index of shards (.safetensors.index.json) all shards are sealed into a folder. Any other file is sealed as it is.

    Example: assay seal model.safetensors --recipient age1pq1... --sign
    """
    from audit.vault.models.statement_files import paths_of

    kind = _kind(source)
    secret = read_passphrase(passphrase, passphrase_fd, what="the sealed file", twice=True)
    chosen = [] if secret is not None else collect_recipients(recipients, recipients_file, recipient_type)
    if secret is not None and (recipients or recipients_file or recipient_type):
        raise ConfigurationError("a passphrase must be the only recipient of a file", remedy="give recipients or a passphrase")
    if kind == "file" and (sign or signing_key is not None):
        raise ConfigurationError(f"{source} is no model, and only models and bundles are signed", remedy="leave out --sign")
    if kind != "file" and (armor or output == "-"):
        raise ConfigurationError(
            "a model is sealed to a binary file, with its statements beside it", remedy="name a file with --output, without --armor"
        )
    signers = collect_signers(sign, signing_key, signing_passphrase_fd)
    if not signers and (model is not None or model_version is not None):
        raise ConfigurationError(
            "--model and --model-version are what a signer states, and nobody signs", remedy="give --sign, or leave them out"
        )
    version = 1 if model_version is None else model_version
    if kind == "file" and "-" in (source, output):
        with telling_of_a_new_identity():
            _seal_pipe(source, output or "-", chosen, secret, armor, force)
        return
    destination = Path(output) if output is not None else _beside(Path(source), kind)
    require_free(destination, force)
    for signer in signers:
        for statement in paths_of(destination, signer):
            require_free(statement, force)
    with telling_of_a_new_identity():
        # Tensors need torch, which takes seconds to import; other files do not.
        if kind == "file":
            from audit.vault import encrypt_file

            encrypt_file(source, destination, recipients=chosen, passphrase=secret, armor=armor)
        elif kind == "classifier":
            from audit.vault import seal
            from classifier.classifier import Classifier

            classifier = Classifier.load(source)
            seal(classifier, destination, recipients=chosen, passphrase=secret, signers=signers, model_id=model, version=version)
        else:
            from audit.vault import seal_model_file

            seal_model_file(source, destination, recipients=chosen, passphrase=secret, signers=signers, model_id=model, version=version)
    typer.echo(str(destination))


def _kind(source: str) -> str:
    from audit.vault.tensors.shards import INDEX

    if os.path.isdir(source):
        if not (Path(source) / "classifier.json").is_file():
            raise ConfigurationError(
                f"{source} is a folder, required is a file or the folder of a saved classifier", remedy="pack it first"
            )
        return "classifier"
    return "shards" if source.endswith(INDEX) else "tensors" if source.endswith(".safetensors") else "file"


def _beside(source: Path, kind: str) -> Path:
    if kind == "shards":
        return source.with_name(source.name.removesuffix(".safetensors.index.json") + ".sealed")
    return source.with_name(source.name + {"classifier": ".safetensors.age"}.get(kind, ".age"))


def _seal_pipe(source: str, output: str, recipients: list[str], passphrase: str | None, armor: bool, force: bool) -> None:
    from audit.vault.files import resolve_recipients, write_form
    from audit.vault.sealed_file import open_file
    from classifier.records import file_atomically

    if output == "-" and not armor and sys.stdout.isatty():
        raise ConfigurationError("bytes are not shown on a terminal", remedy="give --armor, pipe it, or name a file with --output")
    if output != "-":
        require_free(Path(output), force)
    readers = resolve_recipients(recipients, passphrase)
    with open(0, "rb", closefd=False) if source == "-" else open_file(Path(source)) as plain:
        if output == "-":
            write_form(plain, sys.stdout.buffer, readers, armor)
            sys.stdout.buffer.flush()
            return
        with file_atomically(Path(output)) as sealed:
            write_form(plain, sealed, readers, armor)
    typer.echo(output)
