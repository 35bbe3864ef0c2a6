"""A record is written one way, whole or not at all, and what changed since is noticed."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import records
from classifier.errors import IntegrityError, StorageError
from classifier.records import (
    as_record,
    canonical_json,
    digest,
    file_atomically,
    folder_atomically,
    parse_record,
    read_record,
    replace_folder,
    require_only,
    sha256_file,
    write_atomically,
    write_record,
)


@dataclass(frozen=True)
class Loan:
    amount: float
    names: tuple[str, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": [1, 2.5, None], "a": "信"}) == '{"a":"信","b":[1,2.5,null]}'.encode()
    assert canonical_json({"x": 1, "y": 2}) == canonical_json({"y": 2, "x": 1})
    assert digest({"x": 1}) == hashlib.sha256(b'{"x":1}').hexdigest()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_refused(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json([number])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(tmp_path / "loan.json", Loan(number))
    assert list(tmp_path.iterdir()) == []


@given(
    st.floats(allow_nan=False, allow_infinity=False), st.lists(st.text()), st.dictionaries(st.text(), st.none() | st.booleans() | st.text())
)
def test_a_record_is_read_as_it_was_written(amount: float, names: list[str], notes: dict[str, Any]) -> None:
    loan = Loan(amount, tuple(names), notes)
    content = canonical_json(as_record(loan))
    assert parse_record(Loan, content, "a test") == loan
    assert canonical_json(as_record(parse_record(Loan, content, "a test"))) == content


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"amount":"much"}', b'{"amount":1,"interest":2}'])
def test_what_is_no_such_record_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "loan.json"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"loan\.json does not hold a Loan: .*; it was written by a newer release, or changed since"):
        read_record(Loan, path)


def test_a_missing_record_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"loan\.json is missing"):
        read_record(Loan, tmp_path / "loan.json")


def test_a_files_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 300_000)
    assert sha256_file(path) == hashlib.sha256(b"x" * 300_000).hexdigest()


def test_a_file_is_written_with_its_mode_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    write_atomically(path, b"secret", mode=0o600)
    assert path.read_bytes() == b"secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["key"]


def test_a_file_in_the_making_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "record"
    write_atomically(path, b"old")
    with file_atomically(path, mode=0o644) as file:
        file.write(b"new")
        (draft,) = set(tmp_path.iterdir()) - {path}
        assert draft.stat().st_mode & 0o777 == 0o600
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["record"]


def test_a_file_that_is_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "record").mkdir()
    with pytest.raises(StorageError, match="a folder is in the way of the file"):
        write_atomically(tmp_path / "record", b"new")
    assert os.listdir(tmp_path) == ["record"]


def refuse(code: int) -> Callable[..., Any]:
    def raising(*arguments: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return raising


@pytest.mark.parametrize("call", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize(
    ("code", "remedy"),
    [(errno.ENOSPC, "free some space"), (errno.EDQUOT, "your disk quota is used up"), (errno.EROFS, "choose a folder that can be written")],
)
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, remedy: str) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, call, refuse(code))
    with pytest.raises(StorageError, match=rf"cannot write .*record\.json: .*; {remedy}"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["record.json"]


def test_an_interruption_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, b"old")

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["record.json"]


def test_a_folder_that_is_a_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(StorageError, match="a file is in the way of the folder"), folder_atomically(tmp_path / "reports"):
        pass
    assert (tmp_path / "reports").read_text() == "a file"
    assert os.listdir(tmp_path) == ["reports"]


def write_folder(path: Path, content: str) -> None:
    with folder_atomically(path) as draft:
        (draft / "inner").mkdir()
        (draft / "inner" / "file").write_text(content)


def test_a_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    write_folder(tmp_path / "bundle", "old")
    with folder_atomically(tmp_path / "bundle") as draft:
        (draft / "other").write_text("new")
        assert (tmp_path / "bundle" / "inner" / "file").read_text() == "old"
    assert os.listdir(tmp_path / "bundle") == ["other"]
    assert os.listdir(tmp_path) == ["bundle"]
    assert (tmp_path / "bundle").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_failure_inside_leaves_the_old_folder(tmp_path: Path, error: BaseException) -> None:
    write_folder(tmp_path / "bundle", "old")

    def write_and_fail() -> None:
        with folder_atomically(tmp_path / "bundle") as draft:
            (draft / "file").write_text("new")
            raise error

    with pytest.raises(type(error)):
        write_and_fail()
    assert (tmp_path / "bundle" / "inner" / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["bundle"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a system that lets two folders trade names")
def test_a_folder_is_replaced_in_one_step_that_a_kill_cannot_halve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "bundle", "old")
    monkeypatch.setattr(os, "replace", refuse(errno.EIO))
    write_folder(tmp_path / "bundle", "new")
    assert (tmp_path / "bundle" / "inner" / "file").read_text() == "new"
    assert os.listdir(tmp_path) == ["bundle"]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_failing_rename_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    write_folder(tmp_path / "bundle", "old")
    monkeypatch.setattr(records, "_trade", lambda first, second: False)
    rename, calls = os.replace, iter(range(1, 9))

    def sometimes(source: Any, destination: Any) -> None:
        if next(calls) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(source, destination)

    monkeypatch.setattr(os, "replace", sometimes)
    with pytest.raises(StorageError, match="free some space"):
        write_folder(tmp_path / "bundle", "new")
    assert (tmp_path / "bundle" / "inner" / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["bundle"]


def test_the_only_copy_that_a_crash_left_is_kept_until_the_new_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left, draft = tmp_path / ".bundle.previous", tmp_path / "draft"
    write_folder(left, "old")
    write_folder(draft, "new")
    rename = os.replace

    def fail_once(source: Any, destination: Any) -> None:
        monkeypatch.setattr(os, "replace", rename)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", fail_once)
    with pytest.raises(OSError, match="No space"):
        replace_folder(draft, tmp_path / "bundle")
    assert (tmp_path / "bundle" / "inner" / "file").read_text() == "old"
    replace_folder(draft, tmp_path / "bundle")
    assert (tmp_path / "bundle" / "inner" / "file").read_text() == "new"
    assert os.listdir(tmp_path) == ["bundle"]


@pytest.mark.parametrize("other", ["notes.txt", "sub/a.txt", ".hidden", "index/a.txt"])
def test_a_folder_that_holds_anything_else_is_not_to_be_replaced(tmp_path: Path, other: str) -> None:
    folder = tmp_path / "model"
    require_only(folder, ["index", "shard"])
    folder.mkdir()
    require_only(folder, ["index", "shard"])
    write_atomically(folder / "shard", b"")
    require_only(folder, ["index", "shard"])
    write_atomically(folder / other, b"")
    with pytest.raises(StorageError, match=f"model holds '{other.split('/')[0]}', which would be lost"):
        require_only(folder, ["index", "shard"])


def test_what_is_no_folder_or_has_no_possible_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a file")
    with pytest.raises(StorageError, match="a file is in the way of the folder"):
        require_only(tmp_path / "model", ["model"])
    with pytest.raises(StorageError, match="File name too long; choose a shorter name"), folder_atomically(tmp_path / ("x" * 255)):
        pass
    assert os.listdir(tmp_path) == ["model"]
