"""``assay report``: render a bundle again, in another language or format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from classifier.errors import ConfigurationError, did_you_mean


def render_report(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="BUNDLE")],
    lang: Annotated[list[str] | None, typer.Option(help="Language of the report, such as zh-CN; may be given more than once.")] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="html or pdf; may be given more than once, or with commas.", metavar="FORMAT")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder to write to; the bundle itself stays as it was signed.")] = Path(),
) -> None:
    """Write the report of a bundle, computing nothing, after holding every file of it against its manifests.

    Exit code 4 if the bundle is not what its manifests say.

    Example: assay report reports/german-credit --lang zh-CN --format pdf
    """
    from audit.rendering import read_source, write_reports
    from audit.report import languages
    from audit.report.document import FORMATS

    chosen = [name.strip() for part in formats or FORMATS for name in part.split(",")]
    for name, known, what in [(f, FORMATS, "format") for f in chosen] + [(tag, languages(), "language") for tag in lang or ()]:
        if name not in known:
            raise ConfigurationError(f"there is no {what} {name!r} of reports", remedy=did_you_mean(name, known))
    if output.resolve().is_relative_to(bundle.resolve()):
        problem = f"{output.resolve()} lies in the bundle, whose manifests name every file"
        raise ConfigurationError(problem, remedy="give --output another folder")
    source, own = read_source(bundle)
    kinds = [kind for kind in FORMATS if kind in chosen]
    rendered = write_reports(source, output, languages=tuple(dict.fromkeys(lang or own)), formats=kinds, processes=os.cpu_count() or 1)
    for path in rendered.files:
        typer.echo(f"Report: {path}")
    for error in rendered.missing.values():
        raise error
