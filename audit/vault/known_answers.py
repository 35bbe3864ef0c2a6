"""What the vault must do where the truth is known beforehand."""

from __future__ import annotations

from hashlib import sha256

from audit.vault.files import decrypt_bytes, encrypt_bytes
from audit.vault.keys.identity import Identity, generate_identity
from audit.vault.published_vectors import HYBRID, HYBRID_IDENTITY, PASSPHRASE, PASSPHRASE_TEXT, PLAINTEXT_SHA256, X25519, X25519_IDENTITY
from classifier.errors import UnsealError
from classifier.known_answer import KnownAnswer
from classifier.seeds import Seed


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """Published files open; a file opens for its identity alone; no changed or shortened file opens."""
    identity, other, classical = generate_identity(), generate_identity(), generate_identity("x25519")
    random = seed.child("vault").numpy()
    plain = random.bytes(64)
    sealed = encrypt_bytes(plain, recipients=(identity.recipient,))
    armored = encrypt_bytes(plain, recipients=(identity.recipient,), armor=True)
    # Of a hybrid file, most bytes are one share; every byte of the shorter kind costs a tenth of the time.
    short = encrypt_bytes(plain, recipients=(classical.recipient,))
    flips = (1 << random.integers(8, size=len(short))).tolist()
    flipped = [short[:i] + bytes([short[i] ^ flip]) + short[i + 1 :] for i, flip in enumerate(flips)]
    shortened = [short[:length] for length in range(len(short))]
    shares = {
        ("published_vector", "an X25519 file made by another implementation opens to its published digest"): _published(
            _opened(X25519, X25519_IDENTITY)
        ),
        ("published_hybrid", "an armoured hybrid file made by another implementation opens to its published digest"): _published(
            _opened(HYBRID, HYBRID_IDENTITY)
        ),
        ("published_passphrase", "an armoured file under a passphrase, made by another implementation, opens to its published digest"): (
            _published(_opened(PASSPHRASE, passphrase=PASSPHRASE_TEXT))
        ),
        ("round_trip", "a sealed file opens to what was sealed, binary and armoured"): float(
            _opened(sealed, identity) == plain == _opened(armored, identity)
        ),
        ("other_identity", "a sealed file stays shut to another identity"): float(_opened(sealed, other) is None),
        ("other_passphrase", "a file under a passphrase stays shut to another one"): float(
            _opened(PASSPHRASE, passphrase="passwort") is None
        ),
        ("flipped_bytes", "a sealed file with any one byte changed stays shut"): _refused(flipped, classical),
        ("shortened", "a sealed file cut anywhere stays shut"): _refused(shortened, classical),
    }
    return [KnownAnswer(f"vault.{name}", statement, 1.0, share, 0.0) for (name, statement), share in shares.items()]


def _opened(file: bytes, identity: Identity | str | None = None, passphrase: str | None = None) -> bytes | None:
    try:
        return decrypt_bytes(file, identities=() if identity is None else (identity,), passphrase=passphrase)
    except UnsealError:
        return None


def _published(plain: bytes | None) -> float:
    return float(plain is not None and sha256(plain).hexdigest() == PLAINTEXT_SHA256)


def _refused(files: list[bytes], identity: Identity) -> float:
    """The share of `files` that stay shut."""
    return sum(_opened(file, identity) is None for file in files) / len(files)
