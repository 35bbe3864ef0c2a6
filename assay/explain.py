"""``assay explain``: why the classifier decided single rows as it did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.options import ConfigurationPath, Quiet


def explain_rows(
    configuration: ConfigurationPath = Path("audit.toml"),
    rows: Annotated[str, typer.Option(help="Row numbers in the data file, from 0, separated by commas.")] = "0",
    method: Annotated[str, typer.Option(help="Attribution method; auto takes an exact one where it can.")] = "auto",
    output: Annotated[Path | None, typer.Option(help="Folder for the pictures; none are drawn without it.")] = None,
    quiet: Quiet = False,
) -> None:
    """Explain the decisions of single rows: what weighed for the event, and what against.

    Example: assay explain examples/german-credit/audit.toml --rows 0,7 --output /tmp/reasons
    """
    from audit.single import explain_single, parse_rows

    for decision in explain_single(configuration, parse_rows(rows), method=method, progress=not quiet):
        typer.echo(decision.as_text())
        if output is not None:
            typer.echo(f"drew {decision.draw(output)}\n")
