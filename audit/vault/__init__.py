"""The vault: models and data encrypted at rest and on the move, in age v1 files that any age tool opens."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.vault.files import decrypt_bytes, decrypt_file, encrypt_bytes, encrypt_file
    from audit.vault.identity import Identity, generate_identity
    from audit.vault.key_files import read_identities, read_recipients
    from audit.vault.keys import default_identities, default_identity
    from audit.vault.model_files import open_tensors, seal_model_file, unseal_model_file
    from audit.vault.models import seal, unseal
    from audit.vault.own_signing_key import create_signing_key, default_signing_key, read_signing_key
    from audit.vault.reading import opening
    from audit.vault.rewrapping import rewrap
    from audit.vault.signing.keys import SigningKey, generate_signing_key
    from audit.vault.signing.trust_store import TrustStore
    from audit.vault.tensors.lazy import LazyTensors
    from audit.vault.trust import ALLOW_UNSIGNED
    from audit.vault.vouching import sign

__all__ = [
    "ALLOW_UNSIGNED",
    "Identity",
    "LazyTensors",
    "SigningKey",
    "TrustStore",
    "create_signing_key",
    "decrypt_bytes",
    "decrypt_file",
    "default_identities",
    "default_identity",
    "default_signing_key",
    "encrypt_bytes",
    "encrypt_file",
    "generate_identity",
    "generate_signing_key",
    "open_tensors",
    "opening",
    "read_identities",
    "read_recipients",
    "read_signing_key",
    "rewrap",
    "seal",
    "seal_model_file",
    "sign",
    "unseal",
    "unseal_model_file",
]

_HOMES = {
    "ALLOW_UNSIGNED": "trust",
    "Identity": "identity",
    "LazyTensors": "tensors.lazy",
    "SigningKey": "signing.keys",
    "TrustStore": "signing.trust_store",
    "create_signing_key": "own_signing_key",
    "decrypt_bytes": "files",
    "decrypt_file": "files",
    "default_identities": "keys",
    "default_identity": "keys",
    "default_signing_key": "own_signing_key",
    "encrypt_bytes": "files",
    "encrypt_file": "files",
    "generate_identity": "identity",
    "generate_signing_key": "signing.keys",
    "open_tensors": "model_files",
    "opening": "reading",
    "read_identities": "key_files",
    "read_recipients": "key_files",
    "read_signing_key": "own_signing_key",
    "rewrap": "rewrapping",
    "seal": "models",
    "seal_model_file": "model_files",
    "sign": "vouching",
    "unseal": "models",
    "unseal_model_file": "model_files",
}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import; sealing a file must not pay for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"audit.vault.{_HOMES[name]}"), name)
