"""What the vault must do where the truth is known beforehand."""

from __future__ import annotations

from hashlib import sha256

from audit.vault.files import decrypt_bytes, encrypt_bytes
from audit.vault.identity import Identity, generate_identity
from classifier.errors import UnsealError
from classifier.known_answer import KnownAnswer
from classifier.seeds import Seed

# The vector "x25519" of the Community Cryptography Test Vectors for age (c2sp.org/CCTV, 0BSD, CC0 or Unlicense).
VECTOR = b"""age-encryption.org/v1
-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc
hjabGXwSLQ9c3S6Lw2i+S2Tu2fiwQHHslbBN6B41FLE
--- WyJp9F/9FOZh7gJdheq2WIJcwHgYc8NIVh3ddwhrcNg
""" + bytes.fromhex("eecf62c7ce91b433274e68d4f2f9134cb74c5bfef7beaa52c8f0bc0e992c1e8331fb66")
VECTOR_IDENTITY = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"
VECTOR_SHA256 = "013f54400c82da08037759ada907a8b864e97de81c088a182062c4b5622fd2ab"


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """A published file opens; a file opens for its identity alone; no changed or shortened file opens."""
    published = _opened(VECTOR, VECTOR_IDENTITY)
    identity, other = generate_identity(), generate_identity()
    random = seed.child("vault").numpy()
    plain = random.bytes(64)
    sealed = encrypt_bytes(plain, recipients=(identity.recipient,))
    flips = (1 << random.integers(8, size=len(sealed))).tolist()
    flipped = [sealed[:i] + bytes([sealed[i] ^ flip]) + sealed[i + 1 :] for i, flip in enumerate(flips)]
    shortened = [sealed[:length] for length in range(len(sealed))]
    shares = {
        ("published_vector", "a file made by another implementation opens to its published digest"): float(
            published is not None and sha256(published).hexdigest() == VECTOR_SHA256
        ),
        ("round_trip", "a sealed file opens to what was sealed"): float(_opened(sealed, identity) == plain),
        ("other_identity", "a sealed file stays shut to another identity"): _refused([sealed], other),
        ("flipped_bytes", "a sealed file with any one byte changed stays shut"): _refused(flipped, identity),
        ("shortened", "a sealed file cut anywhere stays shut"): _refused(shortened, identity),
    }
    return [KnownAnswer(f"vault.{name}", statement, 1.0, share, 0.0) for (name, statement), share in shares.items()]


def _opened(file: bytes, identity: Identity | str) -> bytes | None:
    try:
        return decrypt_bytes(file, identities=(identity,))
    except UnsealError:
        return None


def _refused(files: list[bytes], identity: Identity | str) -> float:
    """The share of `files` that stay shut."""
    return sum(_opened(file, identity) is None for file in files) / len(files)
