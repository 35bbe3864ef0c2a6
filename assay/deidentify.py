"""``assay deidentify``: a table in which rows are harder to tie to persons, by a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.options import AsJson
from assay.secrets import IdentityFiles, PassphraseDescriptor, collect_identities, read_passphrase


def deidentify_table(
    data: Annotated[Path, typer.Argument(help="A CSV or Parquet file, one row a case; it may be sealed.", metavar="DATA")],
    plan: Annotated[Path | None, typer.Option(help="The plan: what is done with each column.")] = None,
    output: Annotated[Path | None, typer.Option(help="The table to write: .csv, .tsv or .parquet.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report, as JSON.")] = None,
    key_file: Annotated[
        str | None,
        typer.Option(help="The key of pseudonyms: a file, a descriptor, or a new file; else your own.", metavar="PATH|fd:N|new:PATH"),
    ] = None,
    propose: Annotated[Path | None, typer.Option(help="Write a plan to start from, and change nothing else.")] = None,
    target: Annotated[str | None, typer.Option(help="With --propose: the column that a classifier learns.")] = None,
    identity_file: IdentityFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """De-identify a table by a plan, or propose a plan for it.

    Pseudonymised data are still personal data.

    Example: assay deidentify loans.csv --propose plan.toml && assay deidentify loans.csv --plan plan.toml --output released.csv
    """
    from audit.deidentification.files import deidentify_file, propose_file
    from audit.deidentification.wording import plan_text, report_text
    from audit.seal_part import SealPart
    from audit.vault.keys.pseudonym_key import default_pseudonym_key
    from classifier.errors import ConfigurationError
    from classifier.opening import opening_with
    from classifier.records import as_record, canonical_json

    passphrase = read_passphrase(False, passphrase_fd, what="the data")
    opener = SealPart().opener(Path(), collect_identities(identity_file, passphrase), passphrase)
    if propose is not None:
        if plan or output or report or key_file:
            raise ConfigurationError("--propose only writes a plan", remedy="read it, then give --plan and --output in another run")
        with opening_with(opener):
            proposed = propose_file(data, propose, target=target, replace=force)
        if as_json:
            typer.echo(canonical_json(proposed.model_dump(mode="json")).decode())
            return
        typer.echo(plan_text(proposed))
        typer.echo(f"wrote {propose}\nNext: read and correct it, then: assay deidentify {data} --plan {propose} --output released.csv")
        return
    if plan is None or output is None:
        raise ConfigurationError(
            "--plan and --output are needed", remedy=f"or let a plan be proposed: assay deidentify {data} --propose plan.toml"
        )
    if target is not None:
        raise ConfigurationError("--target belongs to --propose", remedy="say role in the plan")
    with opening_with(opener):
        found = deidentify_file(data, plan, output, report=report, key_file=key_file, own_key=default_pseudonym_key, replace=force)
    typer.echo(canonical_json(as_record(found)).decode() if as_json else report_text(found))
    if not as_json:
        for path in filter(None, (output, report)):
            typer.echo(f"wrote {path}")
