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
from classifier.opening import SEALED, is_sealed, plain_name

if TYPE_CHECKING:
    from audit.vault.age.parties import Opener
    from audit.vault.signing.provenance import Provenance

MODELS = (".safetensors", ".safetensors.index.json")
NOBODY = "a model is opened on somebody's word, and nobody is named"
SOMEBODY = "give --trust or --signer, or --allow-unsigned if you know from elsewhere who made it"


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
    if store is not None and allow_unsigned:
        raise ConfigurationError("--allow-unsigned takes nobody's word, and somebody is named", remedy="leave one of them out")
    if output is None:
        output = _beside(source)
    is_model = any(_plain(name).endswith(MODELS) for name in (source, output))
    if is_model and store is None and not allow_unsigned:
        raise ConfigurationError(NOBODY, remedy=SOMEBODY)
    if (store is not None or model is not None) and "-" in (source, output):
        raise ConfigurationError("signatures are about models, which are opened from a file into a file", remedy="name both")
    if output != "-":
        require_free(Path(output), force)
    if stream_unverified and output != "-":
        raise ConfigurationError("--stream-unverified is for a pipe", remedy="give --output -, or leave it out")
    from audit.vault.files import resolve_openers

    secret = read_passphrase(passphrase, passphrase_fd, what=source)
    identities = collect_identities(identity_file)
    if store is not None or (is_model and "-" not in (source, output)):
        # Tensors need torch, which takes seconds to import; other files do not.
        from audit.vault import ALLOW_UNSIGNED, unseal_model_file

        provenance = unseal_model_file(
            source,
            output,
            identities=identities,
            passphrase=secret,
            highest_work_factor=highest_work_factor,
            trusted=store or ALLOW_UNSIGNED,
            model_id=model,
        )
        _tell(provenance)
    else:
        openers = resolve_openers(identities, secret, highest_work_factor)
        _open(source, output, openers, models=allow_unsigned, unverified=stream_unverified)
    if output != "-":
        typer.echo(output)


def _plain(name: str) -> str:
    return str(plain_name(Path(name))).casefold()


def _beside(source: str) -> str:
    if source == "-":
        return "-"
    if not is_sealed(Path(source)):
        raise ConfigurationError(f"{source} does not end in {SEALED}, so its plain name is not known", remedy="name a file with --output")
    plain = str(plain_name(Path(source)))
    return plain.removesuffix(MODELS[1]) + ".opened" if plain.endswith(MODELS[1]) else plain


def _open(source: str, output: str, openers: Sequence[Opener], *, models: bool, unverified: bool) -> None:
    """Open what is no model; what is one under another name is refused, unless `models` says that any is meant."""
    from audit.vault.age.armor import open_form
    from audit.vault.age.container import decrypt
    from audit.vault.sealed_file import open_file, open_sealed
    from audit.vault.tensors.recognising import holds_tensors
    from classifier.records import file_atomically

    with open(0, "rb", closefd=False) if source == "-" else open_file(Path(source)) as sealed:
        if unverified:
            decrypt(open_form(sealed), sys.stdout.buffer, openers)
            sys.stdout.buffer.flush()
            return
        with open_sealed(sealed, openers) as payload:
            if not models and holds_tensors(payload):
                raise ConfigurationError(f"{source} holds tensors: {NOBODY}", remedy=SOMEBODY)
            if output == "-":
                # Nothing that went into a pipe can be taken back.
                payload.verify()
                payload.copy(sys.stdout.buffer)
                sys.stdout.buffer.flush()
                return
            with file_atomically(Path(output), mode=0o600) as plain:
                payload.extract(plain)


def _tell(provenance: Provenance | None) -> None:
    from audit.vault.signing.predicates import Audited

    if provenance is None:
        typer.echo("not judged: whose model this is", err=True)
        return
    for vouched in provenance.statements:
        claim, predicate = vouched.statement.claim, vouched.statement.predicate
        result = f" ({predicate.result})" if isinstance(predicate, Audited) else ""
        typer.echo(
            f"{vouched.statement.role:<9} {vouched.signer}{result}, of {claim.model!r} version {claim.version}, "
            f"{claim.time:%Y-%m-%d %H:%M:%S} UTC as claimed",
            err=True,
        )
    for note in (*provenance.ignored, *provenance.notes):
        typer.echo(f"not counted: {note}", err=True)
