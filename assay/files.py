"""Where a command may write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from classifier.errors import ConfigurationError

Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]


def require_free(path: Path, force: bool) -> None:
    """Refuse to replace something, unless it was asked for.

    Raises:
        ConfigurationError: If there is something at `path`.
    """
    if os.path.lexists(path) and not force:
        raise ConfigurationError(f"{path} is there already", remedy="name another file with --output, or give --force to replace it")
