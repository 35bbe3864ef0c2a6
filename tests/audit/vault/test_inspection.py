"""What a sealed file shows without a key is right, and says what is plainly wrong."""

from __future__ import annotations

from io import BufferedReader, BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.vault import encrypt_bytes, generate_identity
from audit.vault.age import scrypt
from audit.vault.age.header import Stanza, write_header
from audit.vault.inspection import Inspection, inspect_sealed
from audit.vault.published_vectors import PASSPHRASE
from classifier.errors import IntegrityError

CHUNK, TAG, NONCE = 1 << 16, 16, 16
FILE_KEY = bytes(16)
HYBRID, CLASSICAL = generate_identity(), generate_identity("x25519")


def inspected(content: bytes) -> Inspection:
    return inspect_sealed(BufferedReader(BytesIO(content)))


def head(*stanzas: Stanza) -> bytes:
    return write_header(stanzas, FILE_KEY)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
@pytest.mark.parametrize("armor", [False, True])
def test_the_sizes_are_those_of_the_plaintext(size: int, armor: bool) -> None:
    found = inspected(encrypt_bytes(bytes(size), recipients=(HYBRID.recipient,), armor=armor))
    assert (found.armored, found.plaintext_bytes, found.chunks, found.complaints) == (armor, size, max(1, -(-size // CHUNK)), ())
    binary = encrypt_bytes(bytes(size), recipients=(HYBRID.recipient,))
    assert found.header_bytes + found.payload_bytes == len(binary)
    assert found.header_bytes == binary.index(b"\n", binary.index(b"\n--- ") + 1) + 1


def test_kinds_are_counted_and_told_apart() -> None:
    [kind] = inspected(encrypt_bytes(b"", recipients=(CLASSICAL.recipient, CLASSICAL.recipient))).stanzas
    assert (kind.type, kind.count, kind.argument_characters, kind.body_bytes, kind.known) == ("X25519", 2, (43,), 32, True)
    [kind] = inspected(PASSPHRASE).stanzas
    assert (kind.type, kind.work_factor) == ("scrypt", 10)
    unknown, grease = Stanza("fancy", ("a", "bc"), bytes(7)), Stanza("Qq-grease", (), b"")
    kinds = inspected(head(unknown, grease) + bytes(NONCE + TAG)).stanzas
    assert [(kind.type, kind.known, kind.grease, kind.argument_characters) for kind in kinds] == [
        ("fancy", False, False, (1, 2)),
        ("Qq-grease", False, True, ()),
    ]


SHARE = "A" * 43


@pytest.mark.parametrize(
    ("types", "post_quantum"),
    [
        (["mlkem768x25519"], True),
        (["mlkem768x25519", "a-grease"], True),
        (["mlkem768x25519", "X25519"], False),
        (["mlkem768x25519", "ssh-rsa"], False),
        (["mlkem768x25519", "fancy"], None),
        (["X25519", "fancy"], False),
        (["a-grease"], None),
        (["scrypt"], True),
    ],
)
def test_one_classical_recipient_is_enough_to_lose(types: list[str], post_quantum: bool | None) -> None:
    assert inspected(head(*(Stanza(kind, (), b"") for kind in types))).post_quantum is post_quantum


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (0, "cut within the 16 bytes"),
        (NONCE - 1, "cut within the 16 bytes"),
        (NONCE, "it has no chunk"),
        (NONCE + TAG - 1, "cut within a chunk: the last has 15 bytes"),
        (NONCE + CHUNK + TAG + 1, "cut within a chunk: the last has 1 bytes"),
        (NONCE + CHUNK + TAG + TAG, "its last chunk is empty"),
    ],
)
def test_a_length_that_no_file_has_is_told(payload: int, complaint: str) -> None:
    [found] = inspected(head(Stanza("x", (), b"")) + bytes(payload)).complaints
    assert complaint in found


@pytest.mark.parametrize(
    ("stanza", "complaint"),
    [
        (Stanza("X25519", (SHARE,), bytes(31)), "its body has 31 bytes"),
        (Stanza("X25519", (SHARE, SHARE), bytes(32)), "it has 2 arguments"),
        (Stanza("X25519", ("A" * 42,), bytes(32)), "its argument has 31 bytes"),
        (Stanza("X25519", ("=" * 43,), bytes(32)), "not in base64's one form"),
        (Stanza("mlkem768x25519", (SHARE,), bytes(32)), "its argument has 32 bytes, required are 1120"),
        (Stanza("scrypt", ("A" * 22, "018"), bytes(32)), "its work factor is no number"),
    ],
)
def test_a_malformed_stanza_is_told(stanza: Stanza, complaint: str) -> None:
    [found] = inspected(head(stanza) + bytes(NONCE + TAG)).complaints
    assert complaint in found


def test_a_passphrase_beside_another_recipient_is_told() -> None:
    stanza = scrypt.ScryptRecipient("x", work_factor=1).wrap(FILE_KEY)
    [found] = inspected(head(stanza, Stanza("x", (), b"")) + bytes(NONCE + TAG)).complaints
    assert "beside other recipients" in found


def test_whatever_the_bytes_there_is_an_inspection_or_one_error(fuzz: settings) -> None:
    good = [encrypt_bytes(b"secret", recipients=(CLASSICAL.recipient,), armor=armor) for armor in (False, True)]

    @fuzz
    @given(st.binary(max_size=200), st.sampled_from(good), st.integers(0, 400), st.integers(0, 5))
    def law(piece: bytes, content: bytes, start: int, length: int) -> None:
        for hostile in (piece, content[:start] + piece[:5] + content[start + length :]):
            try:
                found = inspected(hostile)
            except IntegrityError:
                continue
            assert found.stanzas

    law()
