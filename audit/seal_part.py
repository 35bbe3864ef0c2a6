"""``[seal]`` of ``audit.toml``: to whom the classifier is encrypted, and who opens it and sealed data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import field_validator

from audit.toml_files import Form
from audit.vault import Identity, default_identity, read_identities
from audit.vault.age.parties import Opener
from audit.vault.files import resolve_openers
from audit.vault.keys.identity import parse_recipients
from audit.vault.reading import SealedFiles
from classifier.errors import ConfigurationError


class SealPart(Form):
    """``[seal]``: to whom the classifier is encrypted, and who opens it and sealed data."""

    recipients: tuple[str, ...] = ()
    identity_file: str | None = None

    @field_validator("recipients")
    @classmethod
    def _known(cls, recipients: tuple[str, ...]) -> tuple[str, ...]:
        try:
            parse_recipients(recipients)
        except ConfigurationError as error:
            raise ValueError(error.problem) from error
        return recipients

    def parties(
        self, folder: Path, identities: Sequence[Identity] = (), passphrase: str | None = None, *, create: bool = True
    ) -> tuple[tuple[str, ...], list[Identity]]:
        """To whom a classifier is sealed, and the identities at hand that can open it again.

        Those are `recipients`; without them, who opens the inputs: the identities that are given, those of `identity_file`, or the
        user's own.

        Args:
            folder: Where the configuration lies.
            identities: Identities that were given beside it.
            passphrase: Tried on `identity_file` if that is sealed itself.
            create: Whether to make the user an identity if there is none and it is needed.

        Raises:
            ConfigurationError: If there is nobody to seal to.
        """
        own = list(identities)
        if not own and self.identity_file is not None:
            own = read_identities(folder / self.identity_file, passphrase)
        elif not own and not self.recipients:
            own = [default_identity(create=create)]
        recipients = self.recipients or tuple(identity.recipient for identity in own[:1])
        return recipients, [identity for identity in own if identity.recipient in recipients]

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
