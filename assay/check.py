"""``assay check``: say what an audit would do, and do nothing."""

from __future__ import annotations

from pathlib import Path

import typer

from assay.options import ConfigurationPath


def check_configuration(configuration: ConfigurationPath = Path("audit.toml")) -> None:
    """Say what would be measured, what cannot be and why, and how long it would take.

    Example: assay check audit.toml
    """
    from audit.preview import preview_configuration

    typer.echo(preview_configuration(configuration))
