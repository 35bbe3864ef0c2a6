"""``[trust]`` of ``audit.toml``: whose word is taken for a sealed classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import model_validator

from audit.toml_files import Form
from audit.vault.age.parties import Opener
from audit.vault.models.classifiers import require_vouched, unseal_with
from audit.vault.reading import SealedFiles
from audit.vault.signing.claim import write_time
from audit.vault.signing.trust import resolve_trust
from audit.vault.signing.trust_store import TrustStore
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.opening import opener_at_hand


class TrustPart(Form):
    """``[trust]``: a trust store or public keys, and which model is expected."""

    path: str | None = None
    signers: tuple[str, ...] = ()
    allow_unsigned: bool = False
    model: str | None = None

    @model_validator(mode="after")
    def _one(self) -> TrustPart:
        if sum((self.path is not None, bool(self.signers), self.allow_unsigned)) > 1:
            raise ValueError("has more than one of path, signers and allow_unsigned; give one of them")
        return self

    def open(self, folder: Path, path: Path) -> Classifier:
        """Open a sealed classifier with the identities at hand.

        Args:
            folder: Where the configuration lies; its paths start there.
            path: The sealed file.

        Raises:
            ConfigurationError: If nobody is trusted, or no identity is at hand.
            UnsealError: If it does not open, or a statement that is required is missing.
        """
        return unseal_with(_openers(path), path, self._store(folder, path), model_id=self.model)

    def told(self, folder: Path, path: Path | None) -> dict[str, Any]:
        """What an audit's record says of it: the digest of the trust store, and on whose word the classifier was opened.

        Args:
            folder: Where the configuration lies.
            path: The sealed classifier, if it is one.
        """
        if self.path is None and path is None:
            return {}
        store = self._store(folder, path)
        if store is None:
            return {"store": None}
        if path is None:
            return {"store": store.digest}
        provenance = require_vouched(_openers(path), path, store, model_id=self.model)
        statements = [
            {"role": v.statement.role, "signer": v.signer, "key": v.key_id, "time_as_claimed": write_time(v.statement.claim.time)}
            for v in provenance.statements
        ]
        return {"store": store.digest, "model": provenance.model, "version": provenance.version, "statements": statements}

    def _store(self, folder: Path, path: Path | None) -> TrustStore | None:
        if self.path is not None:
            return TrustStore.read(folder / self.path)
        if self.signers:
            return resolve_trust(self.signers)
        if self.allow_unsigned or path is None:
            return None
        raise ConfigurationError(
            f"[model] path {path.name} is sealed, and is opened on somebody's word",
            remedy='give [trust] path = "trust.toml", or allow_unsigned = true if you know from elsewhere who made it',
        )


def _openers(path: Path) -> list[Opener]:
    opener = opener_at_hand(path)
    assert isinstance(opener, SealedFiles)  # the audit puts nothing else there
    return opener.openers
