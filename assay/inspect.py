"""``assay inspect``: what a sealed file shows without a key."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from assay.options import AsJson

if TYPE_CHECKING:
    from audit.vault.inspection import Inspection, StanzaKind

UNKNOWN = (
    "Not known without a key: who the recipients are, whether anything was changed,",
    "whether it was cut at the end of a chunk, and who sealed it.",
)
# The name of a kind is chosen by who wrote the file, and may be as long as a header.
SHOWN = 40


def show_structure(
    file: Annotated[str, typer.Argument(help="The sealed file, or - for standard input.", metavar="FILE")], as_json: AsJson = False
) -> None:
    """Show what a sealed file tells without a key: kinds of recipients, sizes, and what is plainly wrong.

    Exit code 4 if something is.

    Example: assay inspect model.safetensors.age
    """
    from audit.vault.inspection import inspect_sealed
    from classifier.errors import StorageError
    from classifier.records import canonical_json

    try:
        with open(sys.stdin.fileno() if file == "-" else file, "rb", closefd=file != "-") as source:
            found = inspect_sealed(source)
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror}", remedy="check its name and permissions") from error
    typer.echo(canonical_json(asdict(found)).decode() if as_json else "\n".join(_lines(found)))
    if found.complaints:
        raise typer.Exit(4)


def _lines(found: Inspection) -> list[str]:
    count = sum(stanza.count for stanza in found.stanzas)
    return [
        f"form          age v1, {'armoured' if found.armored else 'binary'}",
        f"recipients    {count}",
        *(f"  {stanza.count:>4} x {_described(stanza)}" for stanza in found.stanzas),
        f"post-quantum  {_post_quantum(found)}",
        f"header        {found.header_bytes:,} bytes",
        f"payload       {found.payload_bytes:,} bytes in {found.chunks:,} chunk{'s' * (found.chunks != 1)}",
        f"plaintext     {found.plaintext_bytes:,} bytes, if nothing was cut off or added",
        *(f"wrong         {complaint}" for complaint in found.complaints),
        *UNKNOWN,
    ]


def _described(stanza: StanzaKind) -> str:
    from audit.vault.age.scrypt import MOST, READ

    name = stanza.type if len(stanza.type) <= SHOWN else stanza.type[:SHOWN] + "..."
    if stanza.grease:
        return f"{name}: stands for nobody, passed over"
    if not stanza.known:
        return f"{name}: of a kind that this release does not open"
    if stanza.work_factor is None:
        arguments = "".join(f", argument of {characters:,} characters" for characters in stanza.argument_characters[:1])
        return f"{name}{arguments}, body of {stanza.body_bytes:,} bytes"
    factor = f"{name}: a passphrase, work factor {stanza.work_factor}"
    if stanza.work_factor > MOST:
        return f"{factor}, beyond the {MOST} that this release spends"
    return f"{factor}, opened with --highest-work-factor {stanza.work_factor}" if stanza.work_factor > READ else factor


def _post_quantum(found: Inspection) -> str:
    kinds = {stanza.type for stanza in found.stanzas}
    if found.post_quantum is None:
        return "not known: there is a recipient of an unknown kind"
    if found.post_quantum:
        return "yes"
    if any("mlkem" in kind for kind in kinds):
        return "no: one recipient that is not opens the file to a quantum computer"
    return "no: a quantum computer will open it"
