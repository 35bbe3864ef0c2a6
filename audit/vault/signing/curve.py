"""Which Ed25519 public keys are fit for use (RFC 8032, sections 5.1.2 and 5.1.3)."""

from __future__ import annotations

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
# The y of the points whose order divides 8: 1 (order 1), -1 (order 2), 0 (order 4), and a pair of order 8.
_Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL_ORDER = frozenset({0, 1, P - 1, _Y8, P - _Y8})


def describe_unfit_point(key: bytes) -> str | None:
    """Why nobody may sign with an Ed25519 public key, or ``None``.

    OpenSSL takes all of these. Under a key of small order anyone can make a signature that fits any message; a second spelling
    of the same point would be a second key; and a key that is no point verifies nothing.

    Args:
        key: The encoded point ``(32 bytes)``.
    """
    y = int.from_bytes(key, "little") & ((1 << 255) - 1)
    if y >= P:
        return "is not in canonical form"
    if y in SMALL_ORDER:
        return "is a point of small order"
    # x squared is (y^2 - 1) / (d y^2 + 1), a square exactly if the product of the two is.
    if pow((y * y - 1) * (D * y * y + 1), (P - 1) // 2, P) != 1:
        return "is no point of the curve"
    return None
