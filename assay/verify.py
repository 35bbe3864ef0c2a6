"""``assay verify``: hold a bundle against its manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify_folder(bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="BUNDLE")]) -> None:
    """Check that no file of a bundle was changed, added or taken away since the audit.

    It cannot tell who made the bundle: this release signs nothing.

    Example: assay verify reports/german-credit
    """
    from audit.bundle import verify_bundle

    typer.echo(f"{verify_bundle(bundle)} files are as the audit left them; the bundle is not signed")
