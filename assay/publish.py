"""``assay publish``: a copy of a bundle without what is about single cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.files import Force


def publish_bundle(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="BUNDLE")],
    destination: Annotated[Path, typer.Argument(help="Folder of the copy.", metavar="DESTINATION")],
    force: Force = False,
) -> None:
    """Copy a bundle for the public, without results row by row and without what shows single cases.

    What is left out is named with its digest in redactions.json, and manifests, signature and time stamp stay as they
    are: assay verify holds for the copy, and whoever is given a file later puts it back and verifies again.

    Example: assay publish reports/german-credit german-credit-public
    """
    from audit.publication import publish

    published = publish(bundle, destination, force=force)
    withheld, made = published.redactions.withheld, published.redactions.made
    for reason in dict.fromkeys(file.reason for file in withheld.values()):
        names = [name for name, file in withheld.items() if file.reason == reason]
        typer.echo(f"left out, {reason}:")
        typer.echo("\n".join(f"  {name}" for name in names))
    for name in made:
        typer.echo(f"made for the copy, so that no signature vouches for it: {name}")
    typer.echo(f"{published.folder}: {len(published.kept)} files kept, {len(withheld)} left out")
