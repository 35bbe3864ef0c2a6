"""No key is taken under which anyone could sign: the points of small order are found here by arithmetic of their own."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.vault.age import bech32
from audit.vault.signing.curve import describe_unfit_point
from audit.vault.signing.keys import SigningKey, VerifyingKey
from classifier.errors import ConfigurationError

P = 2**255 - 19
D = (-121665 * pow(121666, P - 2, P)) % P
ORDER = 2**252 + 27742317777372353535851937790883648493
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P


def times(n: int, point: Point) -> Point:
    result = (0, 1)
    while n:
        result = add(result, point) if n & 1 else result
        point, n = add(point, point), n >> 1
    return result


def lift(y: int) -> Point | None:
    """A point with this y, if there is one."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    return (x, y) if x * x % P == square else None


def torsion() -> set[Point]:
    """The eight points whose order divides 8, found from random points without the large part of their order."""
    found: set[Point] = set()
    for y in range(2, 50):
        if len(found) == 8:
            break
        point = lift(y)
        if point is not None:
            small = times(ORDER, point)
            found |= {times(n, small) for n in range(8)}
    return found


def encode(x: int, y: int) -> bytes:
    return (y | (x & 1) << 255).to_bytes(32, "little")


SMALL = sorted(torsion())
# Spellings that a lenient reader takes for the same points: y + p where it fits, and the sign of a zero.
SPELLINGS = sorted(
    {encode(sign, y) for _, y in SMALL for sign in (0, 1)} | {encode(sign, y + P) for _, y in SMALL for sign in (0, 1) if y + P < 2**255}
)


def test_there_are_eight_points_of_small_order_and_fourteen_spellings() -> None:
    assert len(SMALL) == 8
    assert all(times(8, point) == (0, 1) for point in SMALL)
    assert len(SPELLINGS) == 14


@pytest.mark.parametrize("key", SPELLINGS, ids=bytes.hex)
def test_every_spelling_of_a_point_of_small_order_is_refused(key: bytes, alice: SigningKey) -> None:
    assert describe_unfit_point(key) in ("is a point of small order", "is not in canonical form")
    with pytest.raises(ConfigurationError, match="the Ed25519 half of the signer's public key is"):
        VerifyingKey(bech32.encode("assaysigner", key + alice.verifying.halves[1]))


def test_openssl_would_take_a_forgery_under_such_a_key() -> None:
    """The threat itself: one signature that fits every message."""
    neutral = encode(0, 1)
    for message in (b"one", b"another"):
        Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), message)


@pytest.mark.parametrize("y", [*range(P, 2**255)])
def test_no_number_beyond_the_field_is_a_second_spelling(y: int) -> None:
    for sign in (0, 1):
        assert describe_unfit_point(encode(sign, y)) == "is not in canonical form"


def test_what_is_no_point_is_refused_and_what_is_one_is_taken() -> None:
    for y in range(2, 300):
        expected = None if lift(y) is not None else "is no point of the curve"
        assert describe_unfit_point(encode(0, y)) == describe_unfit_point(encode(1, y)) == expected
    for _ in range(50):
        assert describe_unfit_point(Ed25519PrivateKey.generate().public_key().public_bytes_raw()) is None
