"""Whose word is taken for what a sealed model is."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Final

from audit.vault.signing.trust_store import TrustStore
from classifier.errors import ConfigurationError


class _Trust(Enum):
    ALLOW_UNSIGNED = "allow unsigned"


#: Said by a caller who opens a model whoever made it. Encryption alone names no sender.
ALLOW_UNSIGNED: Final = _Trust.ALLOW_UNSIGNED

#: A trust store, the file of one, the public keys of signers, or `ALLOW_UNSIGNED`.
Trusted = TrustStore | str | Path | Sequence[str] | _Trust


def resolve_trust(trusted: Trusted) -> TrustStore | None:
    """The trust store that the caller means; ``None`` for `ALLOW_UNSIGNED`.

    Raises:
        ConfigurationError: If nobody is trusted, or the file of the store does not fit its form.
        StorageError: If it cannot be read.
    """
    if trusted is ALLOW_UNSIGNED:
        return None
    if isinstance(trusted, TrustStore):
        return trusted
    if isinstance(trusted, str | Path):
        return TrustStore.read(trusted)
    if isinstance(trusted, Sequence):
        return TrustStore.of(trusted)
    raise ConfigurationError(
        f"trusted must be a trust store, public keys or ALLOW_UNSIGNED, got {type(trusted).__name__}",
        remedy="pass ALLOW_UNSIGNED only if you know from elsewhere who made the file",
    )
