"""``assay unseal``: open a sealed file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.files import Force, require_free
from assay.secrets import (
    AskPassphrase,
    HighestWorkFactor,
    IdentityFiles,
    PassphraseDescriptor,
    collect_identities,
    read_passphrase,
)
from assay.signing import Signers, TrustFile, collect_trust
from classifier.errors import ConfigurationError

if TYPE_CHECKING:
    from audit.vault import Identity
    from audit.vault.signing.provenance import Provenance

SEALED = ".age"
MODELS = (".safetensors.age", ".safetensors.index.json.age")


def unseal_path(
    source: Annotated[str, typer.Argument(help="The sealed file, or - for standard input.", metavar="SOURCE")],
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="PATH|-", help="Where to; else SOURCE without .age.")] = None,
    identity_file: IdentityFiles = None,
    passphrase: AskPassphrase = False,
    passphrase_fd: PassphraseDescriptor = None,
    highest_work_factor: HighestWorkFactor = 20,
    trust: TrustFile = None,
    signer: Signers = None,
    allow_unsigned: Annotated[bool, typer.Option("--allow-unsigned", help="Open a model whoever made it.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="The model that it must be.")] = None,
    stream_unverified: Annotated[
        bool, typer.Option("--stream-unverified", help="Write to a pipe at once, though the end may be missing.")
    ] = False,
    force: Force = False,
) -> None:
    """Open a sealed file with your own identity, or with those that you name.

    Of a model (.safetensors.age, or the sealed index of its shards), say whose word is taken for it: --trust, --signer
    or --allow-unsigned. Nothing is written before everything verified.

    Example: assay unseal model.safetensors.age --trust trust.toml
    """
    store = collect_trust(trust, signer)
    is_model = source.endswith(MODELS)
    if is_model and store is None and not allow_unsigned:
        raise ConfigurationError(
            "a model is opened on somebody's word, and nobody is named",
            remedy="give --trust or --signer, or --allow-unsigned if you know from elsewhere who made it",
        )
    if store is not None and allow_unsigned:
        raise ConfigurationError("--allow-unsigned takes nobody's word, and somebody is named", remedy="leave one of them out")
    if (store is not None or model is not None) and (not is_model or output == "-"):
        raise ConfigurationError(
            "signatures are about models, which are opened into a file", remedy=f"name a file that ends in {MODELS[0]}"
        )
    if output is None:
        output = _beside(source)
    if output != "-":
        require_free(Path(output), force)
    if stream_unverified and output != "-":
        raise ConfigurationError("--stream-unverified is for a pipe", remedy="give --output -, or leave it out")
    secret = read_passphrase(passphrase, passphrase_fd, what=source)
    identities = collect_identities(identity_file)
    if is_model and output != "-":
        # Tensors need torch, which takes seconds to import; other files do not.
        from audit.vault import ALLOW_UNSIGNED, unseal_model_file

        provenance = unseal_model_file(
            source, output, identities=identities, passphrase=secret, trusted=store or ALLOW_UNSIGNED, model_id=model
        )
        _tell(provenance)
    else:
        _open(source, output, identities, secret, highest_work_factor, stream_unverified)
    if output != "-":
        typer.echo(output)


def _beside(source: str) -> str:
    if source == "-":
        return "-"
    if not source.endswith(SEALED):
        raise ConfigurationError(f"{source} does not end in {SEALED}, so its plain name is not known", remedy="name a file with --output")
    plain = source.removesuffix(SEALED)
    return plain.removesuffix(".safetensors.index.json") + ".opened" if source.endswith(MODELS[1]) else plain


def _open(
    source: str, output: str, identities: Sequence[Identity], passphrase: str | None, highest_work_factor: int, stream_unverified: bool
) -> None:
    from audit.vault.files import resolve_openers
    from audit.vault.pipes import decrypt_pipe
    from audit.vault.sealed_file import open_file
    from classifier.records import file_atomically

    openers = resolve_openers(identities, passphrase, highest_work_factor)
    with open(0, "rb", closefd=False) if source == "-" else open_file(Path(source)) as sealed:
        if output == "-":
            decrypt_pipe(sealed, sys.stdout.buffer, openers, unverified=stream_unverified)
            sys.stdout.buffer.flush()
            return
        with file_atomically(Path(output), mode=0o600) as plain:
            decrypt_pipe(sealed, plain, openers, unverified=True)


def _tell(provenance: Provenance | None) -> None:
    if provenance is None:
        typer.echo("not judged: whose model this is", err=True)
        return
    for vouched in provenance.statements:
        claim = vouched.statement.claim
        typer.echo(
            f"{vouched.statement.role:<9} {vouched.signer}, of {claim.model!r} version {claim.version}, "
            f"{claim.time:%Y-%m-%d %H:%M:%S} UTC as claimed",
            err=True,
        )
    for note in (*provenance.ignored, *provenance.notes):
        typer.echo(f"not counted: {note}", err=True)
