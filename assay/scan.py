"""``assay scan``: look into files of models without loading any."""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from assay.options import AsJson, Quiet


class FailOn(StrEnum):
    """The least severity that makes the command fail."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def scan_path(
    path: Annotated[Path, typer.Argument(help="A file of a model, or a folder.", metavar="PATH")],
    fail_on: Annotated[FailOn, typer.Option(help="Exit with 1 where a finding is at least this grave.")] = FailOn.HIGH,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0 on standard output.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look into pickles, archives and weights without loading, importing or running any.

    Exit codes: 0 nothing found that is grave enough, 1 something was, 3 nothing was, and some file could not be looked
    into, 2 PATH is not there.

    Example: assay scan downloads/model
    """
    from audit.supply_chain import scan
    from classifier.errors import ConfigurationError
    from classifier.records import canonical_json

    if sarif and as_json:
        raise ConfigurationError("--json and --sarif were given, and there is one standard output", remedy="give one of them")
    found = scan(path, progress=not quiet)
    if as_json:
        from dataclasses import asdict

        typer.echo(canonical_json(asdict(found)).decode())
    elif sarif:
        from audit.supply_chain.sarif import as_sarif

        typer.echo(canonical_json(as_sarif(found)).decode())
    else:
        from audit.supply_chain.text import describe

        typer.echo(describe(found, width=min(shutil.get_terminal_size().columns, 120)))
    raise typer.Exit(1 if found.at_least(fail_on.value) else 3 if found.not_looked_into else 0)
