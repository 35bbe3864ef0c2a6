"""``assay check``: say what an audit would do, and do nothing."""

from __future__ import annotations

from pathlib import Path

import typer

from assay.options import ConfigurationPath
from assay.secrets import IdentityFiles, PassphraseDescriptor, collect_identities, read_passphrase


def check_configuration(
    configuration: ConfigurationPath = Path("audit.toml"),
    identity_file: IdentityFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
) -> None:
    """Say what would be measured, what cannot be and why, and how long it would take.

    Example: assay check audit.toml
    """
    from audit.preview import preview_configuration

    passphrase = read_passphrase(False, passphrase_fd, what="the sealed data")
    identities = collect_identities(identity_file, passphrase)
    typer.echo(preview_configuration(configuration, identities=identities, passphrase=passphrase))
