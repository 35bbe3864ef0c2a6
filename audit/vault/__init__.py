"""The vault: models and data encrypted at rest and on the move, in age v1 files that any age tool opens."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.vault.files import decrypt_bytes, decrypt_file, encrypt_bytes, encrypt_file
    from audit.vault.identity import Identity, generate_identity, read_identities
    from audit.vault.keys import default_identity
    from audit.vault.models import seal, unseal
    from audit.vault.trust import ALLOW_UNSIGNED

__all__ = [
    "ALLOW_UNSIGNED",
    "Identity",
    "decrypt_bytes",
    "decrypt_file",
    "default_identity",
    "encrypt_bytes",
    "encrypt_file",
    "generate_identity",
    "read_identities",
    "seal",
    "unseal",
]

_HOMES = {
    "ALLOW_UNSIGNED": "trust",
    "Identity": "identity",
    "decrypt_bytes": "files",
    "decrypt_file": "files",
    "default_identity": "keys",
    "encrypt_bytes": "files",
    "encrypt_file": "files",
    "generate_identity": "identity",
    "read_identities": "identity",
    "seal": "models",
    "unseal": "models",
}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import; sealing a file must not pay for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"audit.vault.{_HOMES[name]}"), name)
