"""``assay audit``: run an audit and write its bundle."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from assay.options import AsJson, ConfigurationPath, Lang, Quiet
from assay.secrets import IdentityFiles, PassphraseDescriptor, collect_identities, read_passphrase, telling_of_a_new_identity


def audit_from_file(
    configuration: ConfigurationPath = Path("audit.toml"),
    output: Annotated[Path | None, typer.Option(help="Folder of the bundle; reports/NAME by default.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run this check or room only; may be given more than once.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Leave this check or room out; may be given more than once.")] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="Write this export only, such as junit,sarif.", metavar="FORMATS")
    ] = None,
    fail_on: Annotated[
        Literal["low", "medium", "high"], typer.Option(help="Least severity of a violated rule that makes the exit code 1.")
    ] = "low",
    baseline: Annotated[
        Path | None, typer.Option(help="Exit by what is worse than in this bundle alone.", metavar="BUNDLE", exists=True, file_okay=False)
    ] = None,
    identity_file: IdentityFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    lang: Lang = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train or open a classifier, measure it, judge it, and write the report.

    Exit codes: 0 nothing is violated, 1 a rule is, 3 evidence is missing or a rule could not be decided, 5 an engine missed a
    known answer.

    Example: assay audit examples/german-credit/audit.toml --format junit,sarif --fail-on high
    """
    from audit import Audit
    from audit.comparison import gate
    from audit.exports import exit_code_of
    from audit.pipeline import audit_configuration
    from audit.report.terminal import summarise, takes_colours

    accepted = Audit.load(baseline) if baseline is not None else None
    passphrase = read_passphrase(False, passphrase_fd, what="the sealed data")
    identities = collect_identities(identity_file, passphrase)
    with telling_of_a_new_identity():
        outcome = audit_configuration(
            configuration, output=output, only=only or (), skip=skip or (), exports=formats or (), progress=not quiet,
            identities=identities, passphrase=passphrase, baseline=accepted,
        )  # fmt: skip
    if as_json:
        typer.echo((outcome.folder / "audit.json").read_text(encoding="utf-8"), nl=False)
    else:
        typer.echo(summarise(outcome.audit, language=lang, colours=takes_colours(sys.stdout)))
        if outcome.audit.interrupted:
            typer.echo(f"Stopped. {outcome.folder} holds what was finished; the same command goes on from there.")
        for report in outcome.reports:
            typer.echo(f"Report: {report}")
        for error in outcome.lacking:
            typer.echo(f"Not written: {error}", err=True)
    if accepted is not None:
        held = gate(accepted, outcome.audit, fail_on=fail_on)
        typer.echo("\n".join(held.lines), err=as_json)
        raise typer.Exit(held.exit_code)
    raise typer.Exit(exit_code_of(outcome.audit, fail_on=fail_on))
