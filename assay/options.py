"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigurationPath = Annotated[Path, typer.Argument(help="The audit.toml that describes data, classifier and policy.", metavar="AUDIT.TOML")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the record as JSON on standard output.")]
Lang = Annotated[
    str | None, typer.Option("--lang", help="Language of what is printed, such as zh-CN; by default that of the locale.", metavar="TAG")
]
