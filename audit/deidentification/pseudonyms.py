"""Pseudonyms: HMAC-SHA-256 of a value under a key derived for its data set and column (RFC 2104, RFC 5869)."""

from __future__ import annotations

from base64 import b32encode

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from classifier.errors import ConfigurationError

KEY_BYTES = 32
_PURPOSE = b"assay/pseudonym/v1"


def column_key(key: bytes, *, dataset: str, column: str, domain: str | None = None) -> bytes:
    """The key of one column, 32 bytes: HKDF-SHA-256 without a salt.

    Columns of one `domain` share a key, in whatever data set they are; else each column of each data set has its own,
    so that equal values in two of them do not link.

    Raises:
        ConfigurationError: If `key` is not 32 bytes.
    """
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"a key of pseudonyms has {KEY_BYTES} bytes, got {len(key)}", remedy="make one with create_key")
    named = (b"domain", domain.encode()) if domain is not None else (b"column", dataset.encode(), column.encode())
    # Each part with its length before it: "ab", "c" and "a", "bc" are two columns.
    info = _PURPOSE + b"".join(len(part).to_bytes(4, "big") + part for part in named)
    return HKDF(SHA256(), 32, None, info).derive(key)


def pseudonyms_of(values: NDArray[np.object_], key: bytes, *, bits: int = 128) -> NDArray[np.object_]:
    """The pseudonym of each value ``(D,)``: the first `bits` of its HMAC in base32, small letters, no padding. Empty text stays.

    Args:
        values: Text.
        key: The key of the column, from :func:`column_key`.
        bits: At least 128: two of a billion values share a pseudonym with a chance below 2e-21.
    """
    keyed = HMAC(key, SHA256())
    made = []
    for value in values:
        if not value:
            made.append("")
            continue
        code = keyed.copy()
        code.update(value.encode())
        made.append(b32encode(code.finalize()[: bits // 8]).decode().rstrip("=").lower())
    return np.array(made, dtype=object)
