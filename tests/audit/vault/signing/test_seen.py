"""The highest version seen is never lowered, and says so where it cannot be kept."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audit.vault.signing import seen as module
from audit.vault.signing.seen import SeenVersions
from classifier.errors import StorageError


def test_only_a_higher_version_changes_what_is_remembered(tmp_path: Path) -> None:
    seen = SeenVersions(tmp_path / "new" / "assay")
    assert seen.highest("credit") == 0
    assert not (tmp_path / "new").exists()
    for version, highest in ((3, 3), (2, 3), (3, 3), (7, 7), (1, 7)):
        seen.remember("credit", version)
        assert SeenVersions(tmp_path / "new" / "assay").highest("credit") == highest
    seen.remember("信用", 2)
    assert (seen.highest("credit"), seen.highest("信用"), seen.highest("another")) == (7, 2, 0)
    assert (tmp_path / "new" / "assay").stat().st_mode & 0o777 == 0o700
    assert seen.path.stat().st_mode & 0o777 == 0o600


def test_those_who_remember_at_the_same_time_lower_nothing(tmp_path: Path) -> None:
    versions = list(range(1, 65))
    random.Random(0).shuffle(versions)
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda version: SeenVersions(tmp_path).remember(f"model {version % 2}", version), versions):
            pass
    assert [SeenVersions(tmp_path).highest(f"model {i}") for i in (0, 1)] == [64, 63]
    assert sorted(os.listdir(tmp_path)) == [".seen-versions.lock", "seen-versions.json"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"version":2,"highest":{}}', b'{"version":1,"highest":{"a":0}}', b'{"version":1,"highest":{"a":true}}']
)
def test_a_damaged_memory_is_told_and_not_taken_for_an_empty_one(tmp_path: Path, content: bytes) -> None:
    seen = SeenVersions(tmp_path)
    seen.path.write_bytes(content)
    for ask in (lambda: seen.highest("a"), lambda: seen.remember("a", 5)):
        with pytest.raises(StorageError, match=r"an older version is then not told from the newest, .* see to .*seen-versions\.json"):
            ask()
    assert seen.path.read_bytes() == content


def test_a_duplicate_key_cannot_lower_a_version(tmp_path: Path) -> None:
    seen = SeenVersions(tmp_path)
    seen.path.write_bytes(b'{"version":1,"highest":{"a":9,"a":1}}')
    with pytest.raises(StorageError, match="a key stands twice"):
        seen.highest("a")


def test_a_folder_that_cannot_be_made_or_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot keep the versions seen"):
        SeenVersions(tmp_path / "file" / "assay").remember("a", 1)
    with pytest.raises(StorageError, match="cannot read the versions seen"):
        SeenVersions(tmp_path / "file").highest("a")

    def read_only(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(StorageError, match="cannot keep the versions seen: Read-only file system"):
        SeenVersions(tmp_path).remember("a", 1)


def test_a_lock_that_somebody_keeps_is_told_and_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    seen = SeenVersions(tmp_path)
    seen.remember("a", 1)
    with open(tmp_path / ".seen-versions.lock", "wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match="another process holds"):
            seen.remember("a", 2)
    seen.remember("a", 2)
    assert json.loads(seen.path.read_bytes()) == {"version": 1, "highest": {"a": 2}}
