"""``assay doctor``: what this machine has of what Assay can use."""

from __future__ import annotations

import typer


def examine_machine() -> None:
    """Show versions, devices, fonts and keys.

    Example: assay doctor
    """
    from audit.machine import describe_machine

    for part, lines in describe_machine().items():
        typer.echo(part)
        for line in lines:
            typer.echo(f"  {line}")
