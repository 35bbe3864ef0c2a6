"""``[seal]`` of ``audit.toml``: to whom the classifier is encrypted, and who opens it and sealed data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.toml_files import Form
from audit.vault import Identity, read_identities
from audit.vault.age.parties import Opener
from audit.vault.files import resolve_openers
from audit.vault.reading import SealedFiles
from classifier.errors import ConfigurationError


class SealPart(Form):
    """``[seal]``: to whom the classifier is encrypted, and who opens it and sealed data."""

    recipients: tuple[str, ...] = ()
    identity_file: str | None = None

    def opener(self, folder: Path, identities: Sequence[Identity] = (), passphrase: str | None = None) -> SealedFiles:
        """What opens sealed data: the identities that are given, or those of `identity_file`, or else the user's own.

        They are looked for when the first sealed file is met.

        Args:
            folder: Where the configuration lies; its paths start there.
            identities: Identities that were given beside it.
            passphrase: Tried where a file is sealed under one, and on `identity_file` if that is sealed itself.
        """

        def find() -> Sequence[Opener]:
            if not identities and self.identity_file is not None:
                return resolve_openers(read_identities(folder / self.identity_file, passphrase), passphrase)
            try:
                return resolve_openers(identities, passphrase)
            except ConfigurationError as error:
                raise ConfigurationError(
                    f"the data are sealed, and {error.problem}",
                    remedy="give --identity-file PATH, or [seal] identity_file in audit.toml, of a recipient",
                ) from error

        return SealedFiles(find)
