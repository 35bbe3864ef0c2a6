"""``assay init``: a first ``audit.toml`` and ``policy.toml`` for a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def begin(
    data: Annotated[Path, typer.Argument(help="A CSV or Parquet file, one row a case.", metavar="DATA")],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    event: Annotated[str | None, typer.Option(help="The class that is predicted; of two, the rarer by default.")] = None,
    output: Annotated[Path, typer.Option(help="Folder to write into.")] = Path(),
) -> None:
    """Write a commented audit.toml and policy.toml that run unchanged.

    Example: assay init loans.csv --target default
    """
    from audit.starter import write_starter

    for path in write_starter(data, output, target=target, event=event):
        typer.echo(f"wrote {path}")
    typer.echo(f"Next: read them, then: assay check {output / 'audit.toml'}")
