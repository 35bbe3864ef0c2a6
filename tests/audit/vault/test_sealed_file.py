"""What is sealed is what a file held, and what the system refuses is told with a remedy."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit.vault import encrypt_file, files, generate_identity
from audit.vault.age.payload import BLOCK
from audit.vault.files import decrypt_file, read_sealed
from classifier.errors import IntegrityError, StorageError

ME = generate_identity("x25519")
SEALER = {False: "write_sealed", True: "write_form"}


@contextmanager
def limited(kind: int, limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


@pytest.mark.parametrize("armor", [False, True])
@pytest.mark.parametrize("where", [0, 3 * BLOCK])
def test_a_source_that_is_written_to_while_it_is_sealed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, armor: bool, where: int
) -> None:
    source, seal = tmp_path / "source", getattr(files, SEALER[armor])
    source.write_bytes(bytes(4 * BLOCK))
    before = source.stat()

    def meddle(*arguments: object) -> None:
        seal(*arguments)
        time.sleep(0.02)  # longer than a tick of the clock by which files are stamped
        with source.open("r+b") as file:
            file.seek(where)
            file.write(b"other")
        # The time of the content can be set back, that of the change cannot.
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))

    monkeypatch.setattr(files, SEALER[armor], meddle)
    with pytest.raises(IntegrityError, match="was changed while it was sealed"):
        encrypt_file(source, tmp_path / "sealed", recipients=[ME.recipient], armor=armor)
    assert os.listdir(tmp_path) == ["source"]


@pytest.mark.parametrize("armor", [False, True])
def test_a_file_that_holds_more_than_its_size_says_is_not_sealed_as_if_it_were_empty(tmp_path: Path, armor: bool) -> None:
    if not (told := Path("/proc/version")).is_file() or told.stat().st_size:
        pytest.skip("the system tells nothing about itself in files")
    with pytest.raises(IntegrityError, match="is longer than its size, 0 bytes; seal a copy of it"):
        encrypt_file(told, tmp_path / "sealed", recipients=[ME.recipient], armor=armor)
    assert os.listdir(tmp_path) == []


def test_no_room_for_what_is_in_an_armour_is_told_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(os.urandom(3 << 20))
    encrypt_file(tmp_path / "plain", tmp_path / "sealed", recipients=[ME.recipient], armor=True)
    with limited(resource.RLIMIT_FSIZE, 1 << 20), pytest.raises(StorageError, match=r"temporary file: File too large; .* TMPDIR"):
        read_sealed(tmp_path / "sealed", identities=[ME])
    assert read_sealed(tmp_path / "sealed", identities=[ME]) == (tmp_path / "plain").read_bytes()


def test_no_room_for_the_plaintext_is_told_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(bytes(3 << 20))
    encrypt_file(tmp_path / "plain", tmp_path / "sealed", recipients=[ME.recipient])
    with limited(resource.RLIMIT_FSIZE, 1 << 20), pytest.raises(StorageError, match="File too large; it would be larger than the limit"):
        decrypt_file(tmp_path / "sealed", tmp_path / "opened", identities=[ME])
    assert sorted(os.listdir(tmp_path)) == ["plain", "sealed"]


def test_too_many_open_files_are_told_as_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"secret")
    with limited(resource.RLIMIT_NOFILE, 0), pytest.raises(StorageError, match="Too many open files; raise the limit of open files"):
        encrypt_file(tmp_path / "plain", tmp_path / "sealed", recipients=[ME.recipient])


@pytest.mark.parametrize("length", [246, 255, 300])
def test_a_name_that_is_too_long_is_told_before_anything_is_sealed(tmp_path: Path, length: int) -> None:
    (tmp_path / "plain").write_bytes(b"secret")
    with pytest.raises(StorageError, match="File name too long; choose a shorter name"):
        encrypt_file(tmp_path / "plain", tmp_path / ("x" * length), recipients=[ME.recipient])
    assert os.listdir(tmp_path) == ["plain"]


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"secret")
    with pytest.raises(StorageError, match="a file is in the way of the folder"):
        encrypt_file(tmp_path / "plain", tmp_path / "plain" / "sealed", recipients=[ME.recipient])
