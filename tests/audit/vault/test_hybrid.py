"""Hybrid keys: an independent construction opens what is sealed here, and nothing malformed is accepted."""

from __future__ import annotations

import os
from hashlib import sha3_256, shake_256

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from audit.vault.age.failure import OpeningError
from audit.vault.age.header import Stanza, decode_base64, encode_base64
from audit.vault.age.hybrid import HybridIdentity, HybridRecipient

FILE_KEY = bytes(range(16))
SEED = bytes(range(100, 132))
ME = HybridIdentity(SEED)
KEY = MLKEM768PrivateKey.from_seed_bytes(shake_256(SEED).digest(96)[:64])
POINT = X25519PrivateKey.from_private_bytes(shake_256(SEED).digest(96)[64:])
PUBLIC = KEY.public_key().public_bytes_raw() + POINT.public_key().public_bytes_raw()
LOW_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    2**255 - 20,
    2**255 - 19,
    2**255 - 18,
]


def _extract(salt: bytes, material: bytes) -> bytes:
    code = HMAC(salt or bytes(32), SHA256())
    code.update(material)
    return code.finalize()


def by_hand(share: bytes, body: bytes) -> bytes:
    """X-Wing and HPKE's base mode written out (RFC 9180, sections 4 and 5.1; draft-connolly-cfrg-xwing-kem, section 5)."""
    mlkem, point = share[:1088], share[1088:]
    shared = KEY.decapsulate(mlkem) + POINT.exchange(X25519PublicKey.from_public_bytes(point)) + point + PUBLIC[1184:]
    secret = sha3_256(shared + b"\\.//^\\").digest()
    suite = b"HPKE" + (0x647A).to_bytes(2) + (1).to_bytes(2) + (3).to_bytes(2)
    labeled = b"HPKE-v1" + suite

    def expand(key: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return HKDFExpand(SHA256(), length, length.to_bytes(2) + labeled + label + info).derive(key)

    info = b"age-encryption.org/mlkem768x25519"
    context = b"\0" + _extract(b"", labeled + b"psk_id_hash") + _extract(b"", labeled + b"info_hash" + info)
    key = _extract(secret, labeled + b"secret")
    return ChaCha20Poly1305(expand(key, b"key", context, 32)).decrypt(expand(key, b"base_nonce", context, 12), body, None)


def test_an_independent_construction_opens_what_is_wrapped_here() -> None:
    stanza = HybridRecipient(PUBLIC).wrap(FILE_KEY)
    [argument] = stanza.arguments
    assert by_hand(decode_base64(argument.encode()), stanza.body) == FILE_KEY
    assert ME.unwrap(stanza) == FILE_KEY


def test_another_identity_and_another_kind_of_stanza_are_for_someone_else() -> None:
    stanza = HybridRecipient(PUBLIC).wrap(FILE_KEY)
    assert HybridIdentity(os.urandom(32)).unwrap(stanza) is None
    assert ME.unwrap(Stanza("X25519", stanza.arguments, stanza.body)) is None


@pytest.mark.parametrize("point", LOW_ORDER)
@pytest.mark.parametrize("top_bit", [0, 1 << 255])
def test_a_share_of_low_order_is_malformed_and_not_only_wrong(point: int, top_bit: int) -> None:
    """The points of RFC 7748's curve and its twist whose every multiple by a private key is 0, in all their encodings."""
    stanza = HybridRecipient(PUBLIC).wrap(FILE_KEY)
    share = decode_base64(stanza.arguments[0].encode())[:1088] + (point | top_bit).to_bytes(32, "little")
    with pytest.raises(OpeningError) as caught:
        ME.unwrap(Stanza(stanza.type, (encode_base64(share).decode(),), stanza.body))
    assert caught.value.failure == "header failure"


@pytest.mark.parametrize(
    "malform",
    [
        lambda share, body: (share[:-1], body),
        lambda share, body: (share + b"\0", body),
        lambda share, body: (b"", body),
        lambda share, body: (share, body[:-1]),
        lambda share, body: (share, body + b"\0"),
        lambda share, body: (share, b""),
    ],
)
def test_a_stanza_of_another_length_is_refused_before_it_is_decrypted(malform: object, monkeypatch: pytest.MonkeyPatch) -> None:
    stanza = HybridRecipient(PUBLIC).wrap(FILE_KEY)
    share, body = malform(decode_base64(stanza.arguments[0].encode()), stanza.body)  # type: ignore[operator]
    monkeypatch.setattr("audit.vault.age.hybrid.SUITE", None)
    with pytest.raises(OpeningError):
        ME.unwrap(Stanza(stanza.type, (encode_base64(share).decode(),), body))


def test_every_changed_byte_of_a_stanza_shuts_it() -> None:
    stanza = HybridRecipient(PUBLIC).wrap(FILE_KEY)
    share = decode_base64(stanza.arguments[0].encode())
    # The top bit of a point counts for nothing in X25519, but the share is hashed too.
    for place in [*range(0, 1088, 16), *range(1088, 1120)]:
        changed = bytearray(share)
        changed[place] ^= 0x80
        assert ME.unwrap(Stanza(stanza.type, (encode_base64(changed).decode(),), stanza.body)) is None
    for place in range(len(stanza.body)):
        body = bytearray(stanza.body)
        body[place] ^= 1
        assert ME.unwrap(Stanza(stanza.type, stanza.arguments, bytes(body))) is None
