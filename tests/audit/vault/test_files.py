"""Sealed files: age v1, whole or not at all, and shut to every change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.vault import Identity, decrypt_bytes, decrypt_file, encrypt_bytes, encrypt_file, generate_identity
from audit.vault.age import scrypt
from audit.vault.age.container import decrypt
from audit.vault.age.failure import OpeningError
from audit.vault.age.stream import AT_ONCE
from audit.vault.age.threads import thread_count
from audit.vault.files import read_sealed
from audit.vault.published_vectors import PASSPHRASE, PASSPHRASE_TEXT
from classifier.errors import ConfigurationError, StorageError, UnsealError

CHUNK, TAG, NONCE = 1 << 16, 16, 16
EDGES = [n * CHUNK + d for n in (0, 1, 2, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE) for d in (-1, 0, 1) if n * CHUNK + d >= 0]
ME = generate_identity("x25519")


def sealed(plain: bytes) -> tuple[bytes, list[bytes]]:
    """A sealed file, as all that comes before its first chunk, and its chunks."""
    content = encrypt_bytes(plain, recipients=(ME.recipient,))
    start = content.index(b"\n--- ")
    start = content.index(b"\n", start + 1) + 1 + NONCE
    size = CHUNK + TAG
    return content[:start], [content[i : i + size] for i in range(start, len(content), size)]


def assert_refused(content: bytes, failure: str = "payload failure") -> None:
    sink = BytesIO()
    with pytest.raises(OpeningError) as caught:
        decrypt(BytesIO(content), sink, [ME])
    assert caught.value.failure == failure


@pytest.mark.parametrize("size", EDGES)
def test_another_implementation_opens_what_is_sealed_here_and_the_other_way_round(size: int) -> None:
    plain = os.urandom(size)
    theirs = pyrage.x25519.Identity.from_str(ME.reveal())
    assert str(theirs.to_public()) == ME.recipient
    assert pyrage.decrypt(encrypt_bytes(plain, recipients=(ME.recipient,)), [theirs]) == plain
    assert decrypt_bytes(pyrage.encrypt(plain, [theirs.to_public()]), identities=(ME,)) == plain


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(EDGES), st.integers(-3, 3), st.binary(min_size=1, max_size=64))
def test_any_bytes_come_back(edge: int, off: int, pattern: bytes) -> None:
    size = max(0, edge + off)
    plain = (pattern * (size // len(pattern) + 1))[:size]
    content = encrypt_bytes(plain, recipients=(ME.recipient,))
    assert decrypt_bytes(content, identities=(ME.reveal(),)) == plain


@pytest.mark.parametrize("size", [0, 1, 100])
def test_every_flipped_byte_is_refused(size: int) -> None:
    content = encrypt_bytes(os.urandom(size), recipients=(ME.recipient, generate_identity("x25519").recipient))
    for i in range(len(content)):
        changed = bytearray(content)
        changed[i] ^= 1 << i % 8
        with pytest.raises(UnsealError):
            decrypt_bytes(bytes(changed), identities=(ME,))


def _files() -> dict[str, tuple[bytes, str]]:
    """A short file of every kind, each with what opens it."""
    hybrid = generate_identity()
    return {
        "hybrid": (encrypt_bytes(b"secret", recipients=(hybrid.recipient,)), hybrid.reveal()),
        "armoured": (encrypt_bytes(b"secret", recipients=(ME.recipient,), armor=True), ME.reveal()),
        "passphrase": (PASSPHRASE, ""),
    }


def _opens(content: bytes, secret: str) -> bool:
    try:
        decrypt_bytes(content, identities=[secret] if secret else [], passphrase=None if secret else PASSPHRASE_TEXT)
    except UnsealError:
        return False
    return True


@pytest.mark.parametrize("kind", ["hybrid", "armoured", "passphrase"])
def test_no_file_of_any_kind_opens_flipped_or_cut(kind: str) -> None:
    content, secret = _files()[kind]
    assert _opens(content, secret)
    # What follows the armour's end mark is white space, which means nothing.
    for i in range(len(content.rstrip(b"\n")) if content.startswith(b"-") else len(content)):
        # Every fourth byte of a hybrid share stands for its neighbours.
        if kind != "hybrid" or i < 60 or i > 1500 or i % 4 == 0:
            changed = bytearray(content)
            changed[i] ^= 1 << i % 8
            assert not _opens(bytes(changed), secret), i
            assert not _opens(content[:i], secret), i


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_flipped_bit_in_any_of_many_chunks_is_refused(data: st.DataObject) -> None:
    head, chunks = LONG
    changed = bytearray(b"".join(chunks))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert_refused(head + bytes(changed))


# Longer than what is read at once, and ending within a chunk.
LONG = sealed(bytes((AT_ONCE + 3) * CHUNK + 5))

DAMAGE: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "two chunks swapped": lambda chunks: [chunks[1], chunks[0], *chunks[2:]],
    "the first chunk dropped": lambda chunks: chunks[1:],
    "a chunk dropped": lambda chunks: [*chunks[:2], *chunks[3:]],
    "the last chunk dropped": lambda chunks: chunks[:-1],
    "all but the last chunk dropped": lambda chunks: chunks[-1:],
    "all chunks dropped": lambda chunks: [],
    "a chunk repeated": lambda chunks: [chunks[0], *chunks],
    "the last chunk repeated": lambda chunks: [*chunks, chunks[-1]],
    "a chunk of another file": lambda chunks: [sealed(bytes(2 * CHUNK))[1][0], *chunks[1:]],
    "something after the end": lambda chunks: [*chunks, b"\0"],
    "a whole file after the end": lambda chunks: [*chunks, *chunks],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_chunks_swapped_dropped_repeated_or_added_are_refused(damage: Callable[[list[bytes]], list[bytes]]) -> None:
    head, chunks = LONG
    assert_refused(head + b"".join(damage(chunks)))


def test_a_file_cut_at_or_beside_any_chunk_edge_is_refused() -> None:
    head, chunks = LONG
    body = b"".join(chunks)
    for edge in range(0, len(body), CHUNK + TAG):
        for end in (edge - 1, edge, edge + 1, edge + TAG - 1, edge + TAG, edge + TAG + 1):
            if 0 <= end < len(body):
                assert_refused(head + body[:end])


def test_a_file_cut_anywhere_in_its_header_is_refused() -> None:
    head, _ = sealed(b"secret")
    for end in range(len(head)):
        assert_refused(head[:end], "header failure")


class _Keeper(BytesIO):
    """Keeps the buffer behind what it is given."""

    def write(self, data: memoryview, /) -> int:  # type: ignore[override]
        self.buffer = data.obj
        return super().write(data)


def test_nothing_but_verified_chunks_is_given_out_or_left_in_the_buffer() -> None:
    head, chunks = sealed(b"\x01" * 3 * CHUNK)
    changed = [chunks[0], chunks[1][:-1] + bytes([chunks[1][-1] ^ 1]), chunks[2]]
    sink = _Keeper()
    with pytest.raises(UnsealError):
        decrypt(BytesIO(head + b"".join(changed)), sink, [ME])
    assert sink.getvalue() == b"\x01" * CHUNK
    assert isinstance(sink.buffer, bytearray)
    assert b"\x01" not in sink.buffer[CHUNK:]


def test_every_recipient_opens_the_file_and_nobody_else() -> None:
    readers, stranger = [generate_identity() for _ in range(3)], generate_identity()
    content = encrypt_bytes(b"secret", recipients=[reader.recipient for reader in readers])
    for reader in readers:
        assert decrypt_bytes(content, identities=(stranger, reader)) == b"secret"
    with pytest.raises(UnsealError):
        decrypt_bytes(content, identities=(stranger,))


def test_the_same_plaintext_is_never_sealed_twice_to_the_same_bytes() -> None:
    first, second = (encrypt_bytes(b"secret", recipients=(ME.recipient,)) for _ in range(2))
    assert first != second
    assert first[-22:] != second[-22:]


def test_every_failure_reads_the_same() -> None:
    content = encrypt_bytes(b"secret", recipients=(ME.recipient,))
    messages = set()
    armored = encrypt_bytes(b"secret", recipients=(ME.recipient,), armor=True)
    for broken, identities, passphrase in (
        (b"not sealed", [ME], None),
        (b"", [ME], None),
        (content[:-1], [ME], None),
        (content.replace(b"-> X", b"-> Y"), [ME], None),
        (content, [generate_identity()], None),
        (content, [], "a passphrase"),
        (armored + b"more", [ME], None),
        (armored.replace(b"-----END", b"-----FIN"), [ME], None),
        (PASSPHRASE, [ME], None),
        (PASSPHRASE, [], "another one"),
        (PASSPHRASE[:-40], [], PASSPHRASE_TEXT),
    ):
        with pytest.raises(UnsealError) as caught:
            decrypt_bytes(broken, identities=identities, passphrase=passphrase)
        messages.add(str(caught.value))
        assert caught.value.__cause__ is None
    assert len(messages) == 1


def test_recipients_are_counted_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"secret")
    with pytest.raises(ConfigurationError, match="1 to 256 recipients, got 257"):
        encrypt_file(tmp_path / "plain", tmp_path / "plain.age", recipients=[ME.recipient] * 257)
    assert os.listdir(tmp_path) == ["plain"]


def test_a_file_makes_the_round_trip_with_the_modes_it_needs(tmp_path: Path) -> None:
    plain = os.urandom(3 * CHUNK + 7)
    (tmp_path / "plain").write_bytes(plain)
    encrypt_file(tmp_path / "plain", tmp_path / "new" / "plain.age", recipients=(ME.recipient,))
    decrypt_file(tmp_path / "new" / "plain.age", tmp_path / "opened", identities=(ME,))
    assert (tmp_path / "opened").read_bytes() == plain
    assert (tmp_path / "new" / "plain.age").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "opened").stat().st_mode & 0o777 == 0o600
    assert pyrage.decrypt((tmp_path / "new" / "plain.age").read_bytes(), [pyrage.x25519.Identity.from_str(ME.reveal())]) == plain


@pytest.mark.parametrize("before", [None, b"what was there"])
def test_a_file_that_does_not_open_leaves_the_destination_as_it_was(tmp_path: Path, before: bytes | None) -> None:
    content = encrypt_bytes(bytes(AT_ONCE * 2 * CHUNK), recipients=(ME.recipient,))
    (tmp_path / "cut.age").write_bytes(content[:-1])
    if before is not None:
        (tmp_path / "opened").write_bytes(before)
    with pytest.raises(UnsealError):
        decrypt_file(tmp_path / "cut.age", tmp_path / "opened", identities=(ME,))
    assert sorted(os.listdir(tmp_path)) == (["cut.age"] if before is None else ["cut.age", "opened"])
    assert before is None or (tmp_path / "opened").read_bytes() == before


def test_a_writer_killed_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    source, destination = tmp_path / "pipe", tmp_path / "model.age"
    os.mkfifo(source)
    destination.write_bytes(b"the old file")
    script = f"from audit.vault import encrypt_file; encrypt_file({str(source)!r}, {str(destination)!r}, recipients=({ME.recipient!r},))"
    writer = subprocess.Popen([sys.executable, "-c", script])
    with open(source, "wb", buffering=0) as pipe:
        # The writer takes this much only when it has written blocks before.
        pipe.write(bytes(4 * AT_ONCE * CHUNK))
        drafts = [path for path in tmp_path.iterdir() if path.name.startswith(".model.age.")]
        assert sum(draft.stat().st_size for draft in drafts) > AT_ONCE * CHUNK
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    assert destination.read_bytes() == b"the old file"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "plain").write_bytes(b"secret")
    (tmp_path / "plain.age").write_bytes(b"the old file")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="free some space"):
        encrypt_file(tmp_path / "plain", tmp_path / "plain.age", recipients=(ME.recipient,))
    assert sorted(os.listdir(tmp_path)) == ["plain", "plain.age"]
    assert (tmp_path / "plain.age").read_bytes() == b"the old file"


def test_an_armoured_file_makes_the_round_trip_in_constant_memory(tmp_path: Path) -> None:
    with open(tmp_path / "plain", "wb") as file:
        file.truncate(12 << 20)
    tracemalloc.start()
    try:
        encrypt_file(tmp_path / "plain", tmp_path / "plain.age", recipients=(ME.recipient,), armor=True)
        decrypt_file(tmp_path / "plain.age", tmp_path / "opened", identities=(ME,))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert (tmp_path / "plain.age").read_text().startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert (tmp_path / "opened").stat().st_size == 12 << 20


def test_a_file_is_sealed_under_a_passphrase_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrypt, "WRITTEN", 4)
    content = encrypt_bytes(b"secret", passphrase="a passphrase")
    assert decrypt_bytes(content, passphrase="a passphrase") == b"secret"
    assert decrypt_bytes(content, identities=(ME,), passphrase="a passphrase") == b"secret"
    with pytest.raises(ConfigurationError, match="only recipient of its file"):
        encrypt_bytes(b"secret", passphrase="a passphrase", recipients=(ME.recipient,))
    (tmp_path / "sealed").write_bytes(content)
    assert read_sealed(tmp_path / "sealed", passphrase="a passphrase") == b"secret"


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nothing\.age: No such file"):
        decrypt_file(tmp_path / "nothing.age", tmp_path / "opened", identities=(ME,))
    with pytest.raises(StorageError, match="nothing: No such file"):
        encrypt_file(tmp_path / "nothing", tmp_path / "sealed", recipients=(ME.recipient,))
    assert os.listdir(tmp_path) == []


def test_memory_stays_the_same_however_long_the_file(tmp_path: Path) -> None:
    with open(tmp_path / "plain", "wb") as file:
        file.truncate(48 << 20)
    tracemalloc.start()
    try:
        encrypt_file(tmp_path / "plain", tmp_path / "plain.age", recipients=(ME.recipient,))
        decrypt_file(tmp_path / "plain.age", tmp_path / "opened", identities=(ME,))
        # Each thread has a buffer of a MiB for the plaintext, and one for what is sealed.
        assert tracemalloc.get_traced_memory()[1] < (2 + 3 * thread_count()) << 20
    finally:
        tracemalloc.stop()
    assert (tmp_path / "opened").stat().st_size == 48 << 20


def test_without_recipients_the_users_own_identity_is_made_and_used(configuration: Path) -> None:
    assert decrypt_bytes(encrypt_bytes(b"secret")) == b"secret"
    assert (configuration / "assay" / "identity.txt").exists()


def test_opening_makes_no_identity(configuration: Path, identity: Identity) -> None:
    with pytest.raises(ConfigurationError, match="there is no identity"):
        decrypt_bytes(encrypt_bytes(b"secret", recipients=(identity.recipient,)))
    assert not configuration.exists()


def test_sealing_files_imports_no_torch() -> None:
    script = "import sys; from audit.vault import encrypt_file, decrypt_file, generate_identity; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
