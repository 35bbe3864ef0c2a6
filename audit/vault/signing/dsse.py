"""Signed envelopes (DSSE v1.0, github.com/secure-systems-lab/dsse), each signed by one pair.

The envelope holds two signatures over the same bytes. A verifier that knows only Ed25519 finds that one valid by itself, and then
relies on Ed25519 alone; here both must verify.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from audit.strict_json import parse_strictly
from audit.vault.signing.keys import ED25519_SIGNATURE, ML_DSA_SIGNATURE, SigningKey, VerifyingKey
from classifier.errors import IntegrityError
from classifier.records import canonical_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"
# In this order in every envelope, with the length of their signatures.
ALGORITHMS = {"ed25519": ED25519_SIGNATURE, "ml-dsa-65": ML_DSA_SIGNATURE}


@dataclass(frozen=True)
class Envelope:
    """A well-formed envelope, of which nothing has been verified yet.

    Args:
        key_id: Which key it claims to be signed by: a hint, which anyone can write.
        source: Where it came from, for errors.
    """

    key_id: str
    source: str
    _payload: bytes
    _signatures: tuple[bytes, bytes]

    def open(self, keys: Iterable[VerifyingKey]) -> tuple[bytes, VerifyingKey]:
        """Verify both signatures under one key, over the bytes that arrived, and only then give them out.

        The hint chooses among `keys` and is believed in nothing else: a wrong one finds no key, or one that does not fit.

        Args:
            keys: Those whose word is taken.

        Returns:
            The payload, and the key that signed it.

        Raises:
            IntegrityError: If the key is none of them, or a signature does not fit.
        """
        for key in keys:
            if key.key_id == self.key_id:
                key.require_signed(encode_for_signing(PAYLOAD_TYPE, self._payload), *self._signatures, source=self.source)
                return self._payload, key
        raise IntegrityError(
            f"{self.source} claims to be signed by key {self.key_id}, which is not trusted", remedy="add its signer to the trust store"
        )


def encode_for_signing(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding, in which every length is written down."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload: bytes, key: SigningKey) -> bytes:
    """Put a payload into an envelope with both signatures of `key`."""
    signatures = key.sign(encode_for_signing(PAYLOAD_TYPE, payload))
    return canonical_json(
        {
            "payload": b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {"keyid": f"{key.key_id}:{algorithm}", "sig": b64encode(signature).decode()}
                for algorithm, signature in zip(ALGORITHMS, signatures, strict=True)
            ],
        }
    )


def parse_envelope(content: bytes, source: str) -> Envelope:
    """Read an envelope that came from `source`, without verifying anything.

    Raises:
        IntegrityError: If it is not one envelope of exactly this form.
    """
    envelope = _fields(parse_strictly(content, source), {"payload", "payloadType", "signatures"}, source)
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise _malformed(source, f"holds another type than {PAYLOAD_TYPE}")
    listed = envelope["signatures"]
    if not isinstance(listed, list) or len(listed) != len(ALGORITHMS):
        raise _malformed(source, "needs exactly two signatures, of Ed25519 and of ML-DSA-65")
    key_ids, signatures = [], []
    for entry, (algorithm, length) in zip(listed, ALGORITHMS.items(), strict=True):
        fields = _fields(entry, {"keyid", "sig"}, source)
        key_id, separator, named = str(fields["keyid"]).partition(":")
        signature = _decode(fields["sig"], source)
        if not separator or named != algorithm or len(signature) != length:
            raise _malformed(source, "needs exactly two signatures, of Ed25519 and of ML-DSA-65")
        key_ids.append(key_id)
        signatures.append(signature)
    # Alice's Ed25519 beside Bob's ML-DSA would be nobody's word.
    if key_ids[0] != key_ids[1]:
        raise _malformed(source, "has signatures of two signers, required are both of one")
    if len(key_ids[0]) != 32 or not set(key_ids[0]) <= set("0123456789abcdef"):
        raise _malformed(source, "names no key")
    return Envelope(key_ids[0], source, _decode(envelope["payload"], source), (signatures[0], signatures[1]))


def _fields(value: Any, names: set[str], source: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != names:
        raise _malformed(source, f"needs exactly the fields {', '.join(sorted(names))}")
    return value


def _decode(text: Any, source: str) -> bytes:
    """Base64 of RFC 4648 in its one form, so that no two envelopes hold the same."""
    try:
        content = b64decode(text, validate=True)
    except (TypeError, ValueError):
        content = None
    if content is None or b64encode(content).decode() != text:
        raise _malformed(source, "is not in canonical base64")
    return content


def _malformed(source: str, problem: str) -> IntegrityError:
    return IntegrityError(f"{source} is no signed statement: it {problem}", remedy="take it anew from its source")
