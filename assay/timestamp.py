"""``assay timestamp``: ask an authority when a bundle existed, and keep its answer, by files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.files import Force, require_free
from classifier.errors import ConfigurationError, StorageError
from classifier.records import write_atomically

app = typer.Typer(help="Time stamps of a bundle by RFC 3161, made offline.", no_args_is_help=True, rich_markup_mode=None)
Bundle = Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="BUNDLE")]


@app.command("request")
def request_stamp(
    bundle: Bundle,
    output: Annotated[Path | None, typer.Option(help="Where to; BUNDLE.tsq by default, beside the bundle.", metavar="FILE.tsq")] = None,
    force: Force = False,
) -> None:
    """Write a request for a time stamp: of the signature of a bundle, or of its manifest if it is not signed.

    The file holds a digest and nothing of the bundle. Send it to an authority from wherever there is a network, such as
    with curl --data-binary @BUNDLE.tsq -H "Content-Type: application/timestamp-query" URL.

    Example: assay timestamp request reports/german-credit
    """
    from audit.timestamps import write_request

    bundle = bundle.resolve()
    path = output if output is not None else bundle.with_name(f"{bundle.name}.tsq")
    if bundle in path.resolve().parents:
        raise ConfigurationError(f"{path} lies in the bundle, which holds nothing that it does not name", remedy="name a file beside it")
    require_free(path, force)
    write_atomically(path, write_request(bundle))
    typer.echo(str(path))


@app.command("attach")
def attach_stamp(
    bundle: Bundle,
    response: Annotated[Path, typer.Argument(help="What the authority answered.", metavar="RESPONSE.tsr")],
    certificate: Annotated[Path, typer.Option(metavar="CA.PEM", help="Certificates of authorities whose word is taken.")],
    force: Force = False,
) -> None:
    """Verify an authority's answer and keep it in the bundle.

    Example: assay timestamp attach reports/german-credit answer.tsr --certificate authority.pem
    """
    from audit.timestamps import attach_timestamp, read_certificates

    try:
        content = response.read_bytes()
    except OSError as error:
        raise StorageError(f"{response}: {error.strerror}", remedy="give the file that the authority sent back") from error
    stamp = attach_timestamp(bundle, content, read_certificates(certificate), replace=force)
    typer.echo(f"{stamp.of} existed at {stamp.time:%Y-%m-%d %H:%M:%S} UTC, by the word of {stamp.authority!a}")
