"""The vault: models and data encrypted at rest and on the move, in age v1 files that any age tool opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.lazy_names import names_from

if TYPE_CHECKING:
    from audit.vault.files import decrypt_bytes, decrypt_file, encrypt_bytes, encrypt_file
    from audit.vault.keys.identity import Identity, generate_identity
    from audit.vault.keys.key_files import read_identities, read_recipients
    from audit.vault.keys.own_keys import default_identities, default_identity
    from audit.vault.keys.own_signing_key import create_signing_key, default_signing_key, read_signing_key
    from audit.vault.models.classifiers import seal, unseal
    from audit.vault.models.model_files import open_tensors, seal_model_file, unseal_model_file
    from audit.vault.models.vouching import sign
    from audit.vault.reading import opening
    from audit.vault.rewrapping import rewrap
    from audit.vault.signing.keys import SigningKey, generate_signing_key
    from audit.vault.signing.trust import ALLOW_UNSIGNED
    from audit.vault.signing.trust_store import TrustStore
    from audit.vault.tensors.lazy import LazyTensors

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
    "ALLOW_UNSIGNED": "signing.trust",
    "Identity": "keys.identity",
    "LazyTensors": "tensors.lazy",
    "SigningKey": "signing.keys",
    "TrustStore": "signing.trust_store",
    "create_signing_key": "keys.own_signing_key",
    "decrypt_bytes": "files",
    "decrypt_file": "files",
    "default_identities": "keys.own_keys",
    "default_identity": "keys.own_keys",
    "default_signing_key": "keys.own_signing_key",
    "encrypt_bytes": "files",
    "encrypt_file": "files",
    "generate_identity": "keys.identity",
    "generate_signing_key": "signing.keys",
    "open_tensors": "models.model_files",
    "opening": "reading",
    "read_identities": "keys.key_files",
    "read_recipients": "keys.key_files",
    "read_signing_key": "keys.own_signing_key",
    "rewrap": "rewrapping",
    "seal": "models.classifiers",
    "seal_model_file": "models.model_files",
    "sign": "models.vouching",
    "unseal": "models.classifiers",
    "unseal_model_file": "models.model_files",
}

__getattr__ = names_from(__name__, _HOMES)
