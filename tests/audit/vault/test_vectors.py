"""The published vectors of the age format, by their class of failure."""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedReader, BytesIO
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.vault.age.armor import open_form
from audit.vault.age.container import Sealed, decrypt
from audit.vault.age.failure import OpeningError
from audit.vault.age.header import read_header, write_header
from audit.vault.age.scrypt import ScryptOpener
from audit.vault.keys.identity import parse_identities

CHUNK = 1 << 16
FOLDER = Path(__file__).parents[2] / "vectors" / "age"


@dataclass(frozen=True)
class Vector:
    """One published file, and what must come of opening it."""

    name: str
    fields: dict[str, list[str]]
    content: bytes

    @classmethod
    def read(cls, path: Path) -> Vector:
        head, _, content = path.read_bytes().partition(b"\n\n")
        fields: dict[str, list[str]] = {}
        for line in head.decode().splitlines():
            key, _, value = line.partition(": ")
            fields.setdefault(key, []).append(value)
        return cls(path.name, fields, zlib.decompress(content) if "compressed" in fields else content)

    @property
    def expected(self) -> str:
        return self.fields["expect"][0]

    def sealed(self) -> Sealed:
        """The file, to read as if it were binary."""
        return open_form(BufferedReader(BytesIO(self.content)))

    def open(self) -> tuple[str, bytes]:
        """What came of it, and the plaintext that was given out on the way."""
        sink = BytesIO()
        try:
            openers = [*parse_identities(self.fields.get("identity", ())), *map(ScryptOpener, self.fields.get("passphrase", ()))]
            decrypt(self.sealed(), sink, openers)
        except OpeningError as error:
            return error.failure, sink.getvalue()
        return "success", sink.getvalue()


VECTORS = [Vector.read(path) for path in sorted(FOLDER.iterdir()) if path.name != "README.md"]
CLASSES = {"success": 26, "armor failure": 22, "header failure": 62, "no match": 13, "HMAC failure": 1, "payload failure": 19}


def test_no_vector_is_left_out() -> None:
    assert Counter(vector.expected for vector in VECTORS) == CLASSES
    assert len(VECTORS) == 143


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_each_vector_opens_or_fails_in_its_published_way(vector: Vector) -> None:
    outcome, released = vector.open()
    assert outcome == vector.expected
    if outcome == "success":
        assert sha256(released).hexdigest() == vector.fields["payload"][0]
    elif outcome == "payload failure":
        # A reader that tries both endings gives out the published bytes. Ours knows beforehand which chunk is
        # the last, and stops before one that wrongly claims to be it, or not to be.
        published = _chunk_by_chunk(vector)
        assert sha256(published).hexdigest() == vector.fields["payload"][0]
        assert published.startswith(released)
        assert len(published) - len(released) in (0, CHUNK)
    else:
        assert released == b""


@pytest.mark.parametrize("vector", [v for v in VECTORS if v.expected in ("success", "payload failure")], ids=lambda vector: vector.name)
def test_a_header_that_is_read_and_written_is_the_same(vector: Vector) -> None:
    file_key = bytes.fromhex(vector.fields["file key"][0])
    written = write_header(read_header(vector.sealed()).stanzas, file_key)
    again = vector.sealed()
    assert b"".join(again.readline(1 << 20) for _ in range(written.count(b"\n"))) == written


def _chunk_by_chunk(vector: Vector) -> bytes:
    """A second reader, from the format's text alone: what it gives out before it fails."""
    content = vector.content
    if "armored" in vector.fields:
        content = b64decode(b"".join(content.strip().splitlines()[1:-1]))
    source = BytesIO(content)
    while not source.readline().startswith(b"---"):
        pass
    file_key = bytes.fromhex(vector.fields["file key"][0])
    cipher = ChaCha20Poly1305(HKDF(SHA256(), 32, salt=source.read(16), info=b"payload").derive(file_key))
    released, counter = b"", 0
    while chunk := source.read(CHUNK + 16):
        for final in (0, 1) if len(chunk) == CHUNK + 16 else (1,):
            try:
                plain = cipher.decrypt(counter.to_bytes(11) + bytes([final]), chunk, None)
            except (InvalidTag, ValueError):
                continue
            if not plain and counter:
                return released
            released += plain
            counter += 1
            if final:
                return released
            break
        else:
            return released
    return released
