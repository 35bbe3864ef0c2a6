"""``assay explain``: why the classifier decided single rows as it did."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from assay.options import AsJson, ConfigurationPath, Quiet
from assay.secrets import IdentityFiles, PassphraseDescriptor, collect_identities, read_passphrase


def explain_rows(
    configuration: ConfigurationPath = Path("audit.toml"),
    rows: Annotated[str, typer.Option(help="Row numbers in the data file, from 0, separated by commas.")] = "0",
    method: Annotated[str, typer.Option(help="Attribution method; auto takes exact values where they are cheap.")] = "auto",
    output: Annotated[Path | None, typer.Option(help="Folder for the sheets and pictures; none are made without it.")] = None,
    language: Annotated[str, typer.Option(help="Languages of the sheets: en, zh-CN, or both with a comma between.")] = "en",
    wording: Annotated[Path | None, typer.Option(help="TOML file of the owner's names and approved reasons, for each language.")] = None,
    identity_file: IdentityFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Explain the decisions of single rows: what moved each towards what was decided, and what away from it.

    With --output, each row gets a sheet that the person concerned can read: the decision, its main reasons, what would
    have changed it, and how far to trust this.

    Example: assay explain examples/german-credit/audit.toml --rows 0,7 --output reasons --language en,zh-CN
    """
    from audit.single import SingleRows, make_folder, parse_languages, parse_rows
    from classifier.records import canonical_json

    def tell(message: str) -> None:
        if not quiet and sys.stderr.isatty():
            typer.echo(message, err=True)

    languages = parse_languages(language)
    passphrase = read_passphrase(False, passphrase_fd, what="the sealed data")
    identities = collect_identities(identity_file, passphrase)
    asked = SingleRows.read(configuration, parse_rows(rows), identities=identities, passphrase=passphrase)
    words = {} if wording is None else asked.read_words(wording)
    if output is not None:
        make_folder(output)
    records = []
    try:
        for decision in asked.explain(method=method, sheets=output is not None, progress=not quiet, tell=tell):
            files: list[Path] = []
            if not as_json:
                typer.echo(decision.as_text())
            if output is not None:
                files.append(decision.draw(output))
                tell(f"row {decision.row}: reasons, and what would have changed the decision")
                files += decision.write_sheets(output, languages, words)
            records.append(decision.as_record(files))
            if not as_json:
                for file in files:
                    typer.echo(f"  wrote {file}")
    except KeyboardInterrupt:
        typer.echo("stopped; files that were written are whole, and the same command starts from the beginning", err=True)
        raise typer.Exit(3) from None
    if as_json:
        typer.echo(canonical_json(records).decode())
