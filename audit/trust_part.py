"""``[trust]`` of ``audit.toml``: whose word is taken for a sealed classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import PrivateAttr, model_validator

from audit.toml_files import Form
from audit.vault.models.classifiers import unseal_with
from audit.vault.reading import SealedFiles
from audit.vault.signing.claim import write_time
from audit.vault.signing.provenance import Provenance
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
    _opened: dict[Path, tuple[Classifier, Provenance | None]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _one(self) -> TrustPart:
        if sum((self.path is not None, bool(self.signers), self.allow_unsigned)) > 1:
            raise ValueError("has more than one of path, signers and allow_unsigned; give one of them")
        return self

    def open(self, folder: Path, path: Path) -> Classifier:
        """Open a sealed classifier with the identities at hand: once, so that all that is said of it is about the same file.

        Args:
            folder: Where the configuration lies; its paths start there.
            path: The sealed file.

        Raises:
            ConfigurationError: If nobody is trusted, or no identity is at hand.
            UnsealError: If it does not open, or a statement that is required is missing.
        """
        if path not in self._opened:
            opener = opener_at_hand(path)
            assert isinstance(opener, SealedFiles)  # the audit puts nothing else there
            self._opened[path] = unseal_with(opener.openers, path, self._store(folder, path), model_id=self.model)
        return self._opened[path][0]

    def record(self, folder: Path, path: Path | None) -> dict[str, Any]:
        """What an audit's record says of it: the digest of the trust store, and on whose word the classifier was opened.

        Args:
            folder: Where the configuration lies.
            path: The sealed classifier, if it is one.
        """
        if path is None:
            return {"store": TrustStore.read(folder / self.path).digest} if self.path is not None else {}
        self.open(folder, path)
        _, provenance = self._opened[path]
        if provenance is None:
            return {"store": None}
        statements = [
            {"role": v.statement.role, "signer": v.signer, "key": v.key_id, "time_as_claimed": write_time(v.statement.claim.time)}
            for v in provenance.statements
        ]
        return {"store": provenance.trust, "model": provenance.model, "version": provenance.version, "statements": statements}

    def _store(self, folder: Path, path: Path) -> TrustStore | None:
        if self.path is not None:
            return TrustStore.read(folder / self.path)
        if self.signers:
            return resolve_trust(self.signers)
        if self.allow_unsigned:
            return None
        raise ConfigurationError(
            f"[model] path {path.name} is sealed, and is opened on somebody's word",
            remedy='give [trust] path = "trust.toml", or allow_unsigned = true if you know from elsewhere who made it',
        )
