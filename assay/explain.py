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
    output: Annotated[Path | None, typer.Option(help="Folder for the sheets and pictures; none are made without it.")] = None,
    language: Annotated[str, typer.Option(help="Languages of the sheets: en, zh-CN, or both with a comma between.")] = "en",
    wording: Annotated[Path | None, typer.Option(help="TOML file of the owner's names and approved reasons, for each language.")] = None,
    quiet: Quiet = False,
) -> None:
    """Explain the decisions of single rows: what weighed for the event, and what against.

    With --output, each row gets a sheet that the person concerned can read: the decision, its main reasons, what would
    have changed it, and how far to trust this.

    Example: assay explain examples/german-credit/audit.toml --rows 0,7 --output reasons --language en,zh-CN
    """
    from audit.single import explain_single, parse_languages, parse_rows, read_words

    languages = parse_languages(language)
    words = {} if wording is None else read_words(wording)
    for decision in explain_single(configuration, parse_rows(rows), method=method, progress=not quiet):
        typer.echo(decision.as_text())
        if output is not None:
            typer.echo(f"  drew {decision.draw(output)}")
            for path in decision.write_sheets(output, languages, words):
                typer.echo(f"  wrote {path}")
