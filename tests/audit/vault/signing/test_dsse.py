"""An envelope holds both signatures of one pair, and opens to the bytes that were signed or not at all."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.strict_json import LONGEST
from audit.vault.signing.dsse import PAYLOAD_TYPE, encode_for_signing, parse_envelope, sign_envelope
from audit.vault.signing.keys import SigningKey
from classifier.errors import IntegrityError

PAYLOAD = b'{"any":"bytes"}'
FUZZ = pytest.mark.parametrize("examples", [500, pytest.param(10_000, marks=pytest.mark.slow)])


def opened(content: bytes, *keys: SigningKey) -> bytes:
    return parse_envelope(content, "it").open([key.verifying for key in keys])[0]


def test_what_is_signed_is_the_published_encoding() -> None:
    # The example of the specification, and lengths in bytes rather than characters.
    assert encode_for_signing("http://example.com/HelloWorld", b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert encode_for_signing("é", b"\0\n") == b"DSSEv1 2 \xc3\xa9 2 \0\n"
    assert encode_for_signing("a", b"b 1 c") != encode_for_signing("a 5 b", b"c")


@given(st.binary(max_size=300))
def test_any_payload_comes_back_with_the_key_that_signed_it(alice: SigningKey, bob: SigningKey, payload: bytes) -> None:
    content, key = parse_envelope(sign_envelope(payload, alice), "it").open([bob.verifying, alice.verifying])
    assert (content, key) == (payload, alice.verifying)


def test_an_ordinary_verifier_finds_the_ed25519_signature_valid_by_itself(alice: SigningKey) -> None:
    """Written from the specification alone: any envelope, any number of signatures, one known Ed25519 key."""
    known = Ed25519PublicKey.from_public_bytes(alice.verifying.halves[0])

    def accepts(content: bytes) -> bool:
        envelope = json.loads(content)
        kind, body = envelope["payloadType"].encode(), b64decode(envelope["payload"])
        message = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(body)).encode(), body])
        for signature in envelope["signatures"]:
            try:
                known.verify(b64decode(signature["sig"]), message)
            except Exception:
                continue
            return True
        return False

    envelope = sign_envelope(PAYLOAD, alice)
    assert accepts(envelope)
    assert not accepts(envelope.replace(b64encode(PAYLOAD), b64encode(PAYLOAD[:-1] + b" ")))


def _without(index: int) -> Callable[[dict[str, Any]], None]:
    return lambda envelope: envelope["signatures"].pop(index)


def _set(value: object, *path: Any) -> Callable[[dict[str, Any]], None]:
    def change(envelope: dict[str, Any]) -> None:
        place: Any = envelope
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


def _edit(edit: Callable[[str], str], *path: Any) -> Callable[[dict[str, Any]], None]:
    def change(envelope: dict[str, Any]) -> None:
        place: Any = envelope
        for part in path:
            place = place[part]
        _set(edit(place), *path)(envelope)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _without(0),
        _without(1),
        lambda envelope: envelope["signatures"].reverse(),
        lambda envelope: envelope["signatures"].append(envelope["signatures"][0]),
        lambda envelope: envelope["signatures"].__setitem__(1, envelope["signatures"][0]),
        _set([], "signatures"),
        _set({}, "signatures"),
        _set(None, "signatures", 0),
        _set(None, "signatures", 0, "sig"),
        _set("", "signatures", 1, "sig"),
        _set(b64encode(bytes(64)).decode(), "signatures", 0, "sig"),
        _set(b64encode(bytes(3309)).decode(), "signatures", 1, "sig"),
        _edit(lambda text: text.replace("ed25519", "ml-dsa-65"), "signatures", 0, "keyid"),
        _edit(lambda text: text[:32], "signatures", 0, "keyid"),
        _edit(str.upper, "signatures", 0, "keyid"),
        _set(7, "signatures", 0, "keyid"),
        _set("", "signatures", 0, "keyid"),
        _set("more", "signatures", 0, "cert"),
        _set("more", "mediaType"),
        _set("application/json", "payloadType"),
        _set(PAYLOAD_TYPE.upper(), "payloadType"),
        _set(None, "payloadType"),
        lambda envelope: envelope.pop("payloadType"),
        _set(b64encode(b'{"any": "bytes"}').decode(), "payload"),
        _set(b64encode(b"").decode(), "payload"),
        _set(json.loads(PAYLOAD), "payload"),
        _edit(lambda text: text.rstrip("=") + "\n", "payload"),
        _edit(lambda text: text[:4] + "\n" + text[4:], "payload"),
        _edit(lambda text: text[:-1] + "\u0661", "payload"),
    ],
)
def test_an_envelope_of_any_other_form_is_refused(alice: SigningKey, change: Callable[[dict[str, Any]], None]) -> None:
    envelope = json.loads(sign_envelope(PAYLOAD, alice))
    assert opened(json.dumps(envelope).encode(), alice) == PAYLOAD
    change(envelope)
    with pytest.raises(IntegrityError, match=r"^it "):
        opened(json.dumps(envelope).encode(), alice)


def test_a_signature_of_another_length_is_told_before_it_is_tried(alice: SigningKey) -> None:
    for i, length in ((0, 63), (0, 65), (1, 3308), (1, 3310)):
        envelope = json.loads(sign_envelope(PAYLOAD, alice))
        envelope["signatures"][i]["sig"] = b64encode(bytes(length)).decode()
        with pytest.raises(IntegrityError, match="needs exactly two signatures"):
            parse_envelope(json.dumps(envelope).encode(), "it")


def test_base64_of_another_spelling_is_refused(alice: SigningKey) -> None:
    payload = b"\xfb\xff\xfe\xfa"
    envelope = json.loads(sign_envelope(payload, alice))
    spelled = envelope["payload"]
    # The last digit before the padding holds four bits that stand for nothing.
    loose = spelled[:-3] + chr(ord(spelled[-3]) + 1) + "=="
    assert b64decode(loose) == payload
    for other in (urlsafe_b64encode(payload).decode(), loose, spelled.rstrip("="), spelled + "=", f" {spelled}"):
        with pytest.raises(IntegrityError, match="canonical base64"):
            opened(json.dumps({**envelope, "payload": other}).encode(), alice)


def test_signatures_of_two_signers_are_nobodys_word(alice: SigningKey, bob: SigningKey) -> None:
    one, other = json.loads(sign_envelope(PAYLOAD, alice)), json.loads(sign_envelope(PAYLOAD, bob))
    mixed = {**one, "signatures": [one["signatures"][0], other["signatures"][1]]}
    with pytest.raises(IntegrityError, match="signatures of two signers"):
        opened(json.dumps(mixed).encode(), alice, bob)
    for signer in (alice, bob):
        for i, algorithm in enumerate(("ed25519", "ml-dsa-65")):
            mixed["signatures"][i]["keyid"] = f"{signer.key_id}:{algorithm}"
        with pytest.raises(IntegrityError, match="signatures do not fit"):
            opened(json.dumps(mixed).encode(), alice, bob)


def test_the_key_id_is_a_hint_that_proves_nothing(alice: SigningKey, bob: SigningKey) -> None:
    envelope = sign_envelope(PAYLOAD, bob).replace(bob.key_id.encode(), alice.key_id.encode())
    assert parse_envelope(envelope, "it").key_id == alice.key_id
    with pytest.raises(IntegrityError, match=f"signed by key {alice.key_id}, and its signatures do not fit"):
        opened(envelope, alice, bob)
    with pytest.raises(IntegrityError, match=f"signed by key {bob.key_id}, which is not trusted"):
        opened(sign_envelope(PAYLOAD, bob), alice)


@pytest.mark.parametrize("bits", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_no_flipped_bit_leaves_an_envelope_that_opens(alice: SigningKey, bob: SigningKey, bits: int) -> None:
    envelope = sign_envelope(PAYLOAD, alice)
    taken = []
    for i in range(len(envelope)):
        for bit in range(bits):
            flipped = envelope[:i] + bytes([envelope[i] ^ 1 << (i + bit) % 8]) + envelope[i + 1 :]
            try:
                taken.append((i, opened(flipped, alice, bob)))
            except IntegrityError:
                continue
    assert taken == []


def test_no_shortened_or_lengthened_envelope_opens(alice: SigningKey) -> None:
    envelope = sign_envelope(PAYLOAD, alice)
    for content in (
        *(envelope[:i] for i in range(0, len(envelope), 7)),
        envelope + b"x",
        envelope * 2,
        b"[" + envelope + b"]",
        b"null",
        b'""',
    ):
        with pytest.raises(IntegrityError):
            opened(content, alice)
    with pytest.raises(IntegrityError, match="allowed are"):
        opened(envelope + b" " * LONGEST, alice)


@FUZZ
def test_whatever_arrives_opens_to_what_was_signed_or_is_refused(alice: SigningKey, examples: int) -> None:
    envelope = sign_envelope(PAYLOAD, alice)
    pieces = st.sampled_from([b"", b'"', b"{", b"}", b",", b"=", b"A", b"\\u0041", b"\n", b" ", b"\xff", b'"payload":"",'])

    @st.composite
    def damaged(draw: st.DrawFn) -> bytes:
        content = envelope
        for _ in range(draw(st.integers(1, 3))):
            start = draw(st.integers(0, len(content)))
            content = content[:start] + draw(pieces) + content[start + draw(st.integers(0, 3)) :]
        return content

    @settings(max_examples=examples, deadline=None)
    @given(st.binary(max_size=200) | damaged())
    def law(content: bytes) -> None:
        try:
            assert opened(content, alice) == PAYLOAD
        except IntegrityError:
            return
        # What opens differs from what was written in white space alone, or in the spelling of a character.
        assert json.loads(content) == json.loads(envelope)

    law()
