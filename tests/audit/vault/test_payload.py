"""Payloads that are written and opened by place, in several threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.vault.age import threads
from audit.vault.age.container import NONCE, payload_key, read_file_key
from audit.vault.age.failure import OpeningError
from audit.vault.age.payload import BLOCK, SEALED, Payload, blocks
from audit.vault.age.plaintext import OnDisk, Plaintext
from audit.vault.age.stream import CHUNK, TAG, encrypt_stream
from audit.vault.age.writing import write_sealed
from audit.vault.files import decrypt_bytes
from audit.vault.keys.identity import generate_identity, parse_recipients
from classifier.errors import IntegrityError

KEY = bytes(range(32))
IDENTITY = generate_identity("x25519")
EDGES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 5)


@pytest.fixture(autouse=True)
def _several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 3)


@contextmanager
def payload_of(sealed: bytes, folder: Path) -> Iterator[Payload]:
    path = folder / "sealed"
    path.write_bytes(b"header" + sealed)
    with path.open("rb") as file:
        yield Payload(file.fileno(), len(b"header"), KEY)


def sealed(plain: bytes) -> bytes:
    sink = BytesIO()
    encrypt_stream(BytesIO(plain), sink, KEY)
    return sink.getvalue()


@pytest.mark.parametrize("size", EDGES)
def test_a_payload_by_place_is_what_the_stream_wrote(size: int, tmp_path: Path) -> None:
    plain = os.urandom(size)
    with payload_of(sealed(plain), tmp_path) as payload:
        assert payload.size == size
        assert payload.read(size) == plain


@pytest.mark.parametrize("size", EDGES)
def test_what_is_written_by_place_opens_as_a_stream(size: int, tmp_path: Path) -> None:
    plain = os.urandom(size)
    with (tmp_path / "sealed").open("wb") as file:
        write_sealed(Plaintext([memoryview(plain)]), file, parse_recipients([IDENTITY.recipient]))
    assert decrypt_bytes((tmp_path / "sealed").read_bytes(), identities=[IDENTITY]) == plain


@given(st.integers(0, 2 * BLOCK + 4), st.integers(1, BLOCK + CHUNK))
def test_any_stretch_opens_to_its_plaintext(tmp_path_factory: pytest.TempPathFactory, start: int, length: int) -> None:
    with payload_of(SEALED_LONG, tmp_path_factory.getbasetemp()) as payload:
        buffer = bytearray(min(length, payload.size - start))
        payload.read_into(memoryview(buffer), start)
    assert buffer == LONG[start : start + length]


LONG = os.urandom(2 * BLOCK + 5)
SEALED_LONG = sealed(LONG)


@pytest.mark.parametrize("cut", [1, TAG, SEALED, SEALED + 1, 5 + TAG, 5 + TAG + SEALED, len(SEALED_LONG) - TAG, len(SEALED_LONG)])
def test_a_payload_that_was_cut_is_refused_before_anything_is_read(cut: int, tmp_path: Path) -> None:
    with pytest.raises(OpeningError), payload_of(SEALED_LONG[:-cut], tmp_path):
        pass


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(SEALED_LONG[:SEALED] + SEALED_LONG, id="chunk repeated"),
        pytest.param(SEALED_LONG[SEALED:], id="first chunk dropped"),
        pytest.param(SEALED_LONG[:SEALED] + SEALED_LONG[2 * SEALED :], id="second chunk dropped"),
        pytest.param(SEALED_LONG[SEALED : 2 * SEALED] + SEALED_LONG[:SEALED] + SEALED_LONG[2 * SEALED :], id="chunks swapped"),
        pytest.param(SEALED_LONG + SEALED_LONG[-5 - TAG :], id="last chunk twice"),
        pytest.param(SEALED_LONG + b"x", id="a byte more"),
    ],
)
def test_chunks_that_were_moved_dropped_or_repeated_are_refused(forged: bytes, tmp_path: Path) -> None:
    with pytest.raises(OpeningError), payload_of(forged, tmp_path) as payload:
        payload.read(payload.size)


@pytest.mark.parametrize("chunk", [0, 1, 15, 16, 17, 31])
def test_a_changed_byte_is_found_in_its_chunk_and_leaves_no_plaintext(chunk: int, tmp_path: Path) -> None:
    forged = bytearray(SEALED_LONG)
    forged[chunk * SEALED + 77] ^= 1
    with payload_of(bytes(forged), tmp_path) as payload:
        fill = payload.opener()
        buffer = bytearray(b"\xff" * CHUNK)
        with pytest.raises(OpeningError):
            fill(memoryview(buffer), chunk * CHUNK)
        assert buffer == bytes(CHUNK)
        for other in {0, 1, 16, 31} - {chunk}:
            fill(memoryview(buffer), other * CHUNK)
            assert buffer == LONG[other * CHUNK : (other + 1) * CHUNK]


def test_a_file_that_is_cut_while_it_is_open_is_refused(tmp_path: Path) -> None:
    with payload_of(SEALED_LONG, tmp_path) as payload:
        os.truncate(tmp_path / "sealed", 3 * SEALED)
        with pytest.raises(OpeningError):
            payload.read(payload.size)


def test_more_plaintext_than_is_allowed_is_refused(tmp_path: Path) -> None:
    with payload_of(SEALED_LONG, tmp_path) as payload, pytest.raises(OpeningError):
        payload.read(payload.size - 1)


@given(st.integers(0, 5 * BLOCK), st.integers(0, 5 * BLOCK))
def test_blocks_cut_a_stretch_without_gap_at_the_edges_of_blocks(start: int, length: int) -> None:
    found = list(blocks(start, start + length))
    assert [begin for begin, _ in found] == ([start, *(end for _, end in found[:-1])] if found else [])
    assert sum(end - begin for begin, end in found) == length
    assert all(begin % BLOCK == 0 for begin, _ in found[1:])


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8), st.data())
def test_pieces_in_memory_and_on_disk_are_read_as_one(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(contents)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    path = tmp_path_factory.getbasetemp() / "pieces"
    path.write_bytes(whole)
    with path.open("rb") as file:
        offsets = [sum(map(len, contents[:i])) for i in range(len(contents))]
        pieces = [
            memoryview(content) if data.draw(st.booleans()) else OnDisk(file.fileno(), offset, len(content), "pieces")
            for content, offset in zip(contents, offsets, strict=True)
        ]
        plaintext = Plaintext(pieces)
        assert plaintext.size == len(whole)
        assert bytes(plaintext.view(start, end, memoryview(bytearray(400)))) == whole[start:end]


def test_a_source_that_became_shorter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(bytes(100))
    with path.open("rb") as file, pytest.raises(IntegrityError, match="was cut while it was read"):
        OnDisk(file.fileno(), 0, 200, "source").read_into(memoryview(bytearray(200)), 0)


def test_each_file_has_a_key_of_its_own(tmp_path: Path) -> None:
    keys = set()
    for name in "ab":
        with (tmp_path / name).open("wb") as file:
            write_sealed(Plaintext([memoryview(b"the same")]), file, parse_recipients([IDENTITY.recipient]))
        with (tmp_path / name).open("rb") as file:
            keys.add(payload_key(read_file_key(file, [IDENTITY]), file.read(NONCE)))
    assert len(keys) == 2
