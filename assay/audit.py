"""``assay audit``: run an audit and write its bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.options import AsJson, ConfigurationPath, Quiet
from assay.secrets import IdentityFiles, PassphraseDescriptor, collect_identities, read_passphrase, telling_of_a_new_identity


def audit_from_file(
    configuration: ConfigurationPath = Path("audit.toml"),
    output: Annotated[Path | None, typer.Option(help="Folder of the bundle; reports/NAME by default.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run this check or room only; may be given more than once.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Leave this check or room out; may be given more than once.")] = None,
    identity_file: IdentityFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train or open a classifier, measure it, judge it, and write the report.

    Example: assay audit examples/german-credit/audit.toml
    """
    from audit.pipeline import audit_configuration
    from audit.report import summarise

    passphrase = read_passphrase(False, passphrase_fd, what="the sealed data")
    identities = collect_identities(identity_file, passphrase)
    with telling_of_a_new_identity():
        outcome = audit_configuration(
            configuration, output=output, only=only or (), skip=skip or (), progress=not quiet, identities=identities, passphrase=passphrase
        )
    if as_json:
        typer.echo((outcome.folder / "audit.json").read_text(encoding="utf-8"), nl=False)
    else:
        typer.echo(summarise(outcome.audit))
        if outcome.audit.interrupted:
            typer.echo(f"Stopped. {outcome.folder} holds what was finished; the same command goes on from there.")
        else:
            for language in outcome.languages:
                typer.echo(f"Report: {outcome.folder / f'report.{language}.html'}")
    raise typer.Exit(outcome.audit.exit_code)
