"""Folders and files: links, names, programs, and everything that is no model."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audit.supply_chain import Scan, looking, scan, scanning
from audit.supply_chain.look import Look
from classifier.errors import ConfigurationError, StorageError

Rules = Callable[..., set[str]]


def rules_of(found: Scan) -> set[str]:
    return {finding.rule for finding in found.findings}


def test_every_file_has_its_digest_size_and_kind(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "sub" / "a.npy", np.arange(3))
    (tmp_path / "empty").touch()
    (tmp_path / ".hidden").write_bytes(b"text")
    found = scan(tmp_path)
    for file in found.files:
        content = (tmp_path / file.name).read_bytes()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert {file.name: file.kind for file in found.files} == {".hidden": "other", "empty": "empty", "sub/a.npy": "numpy"}


def test_what_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        scan(tmp_path / "absent")
    with pytest.raises(ConfigurationError, match="holds no file"):
        scan(tmp_path)


def test_a_link_out_of_the_folder_is_found_and_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "model", tmp_path / "outside"
    inside.mkdir()
    outside.write_bytes(b"cposix\nsystem\n.")
    (inside / "a.pkl").symlink_to(outside)
    (inside / "folder").symlink_to(tmp_path)
    (inside / "b").write_bytes(b"b")
    (inside / "c").symlink_to("b")
    found = scan(inside)
    assert [(finding.rule, finding.file) for finding in found.findings] == [("file.link", "a.pkl"), ("file.link", "folder")]
    assert len(found.files) == 4
    # What somebody names is what they mean.
    assert "pickle.global" in rules_of(scan(inside / "a.pkl"))


def test_a_pipe_and_a_socket_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(tmp_path)
        listening.bind("socket")
        found = scan(tmp_path)
    assert [finding.rule for finding in found.findings] == ["file.special", "file.special"]
    assert len(found.not_looked_into) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="who may read everything is refused nothing")
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0)
    assert rules_of(scan(tmp_path)) == {"file.unreadable"}


def test_names_that_are_one_file_elsewhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "Model.bin").write_bytes(b"1")
    (tmp_path / "model.bin").write_bytes(b"2")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system knows no difference")
    assert rules_of(scan(tmp_path)) == {"file.case"}


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("model.bin", b"\x7fELF\x02\x01\x01" + bytes(60), "file.program"),
        ("a.so", b"anything", "file.program"),
        ("a.dat", b"MZ" + bytes(58) + b"\x40\0\0\0" + b"PE\0\0", "file.program"),
        ("a.pyc", b"\xa7\x0d\r\n" + bytes(12), "file.program"),
        ("install", b"#!/bin/sh\ntrue\n", "file.script"),
        ("run.bat", b"echo", "file.script"),
        ("modeling.py", b"import os\n", "file.source"),
        ("m.age", b"age-encryption.org/v1\n-> X25519 x\n", "file.sealed"),
        ("m.age", b"-----BEGIN AGE ENCRYPTED FILE-----\n", "file.sealed"),
        ("config.json", b"nothing of the kind", "file.malformed"),
        ("m.onnx", b"nothing of the kind", "file.mismatch"),
        ("m.safetensors", b"nothing of the kind", "file.mismatch"),
    ],
)
def test_what_a_model_needs_none_of_is_told(name: str, content: bytes, rule: str, rules: Rules) -> None:
    assert rule in rules(content, name)


@pytest.mark.parametrize(
    "text",
    [
        b"credit_amount,age\n12,3\n", b"# Model\n\nIt is a model.\n", b"Pipfile\n.venv\n", b"import os\nos.system('x')\n", b"(lp0\nS'a'\n",
        b"config\nname\n", b".\n", b"N.", b"0.5,1\n", b"iris\ndata\n", b"P5\n1 1\n", b"I am text.\n", "中文说明。\n".encode(), bytes(100),
    ],
)  # fmt: skip
def test_texts_are_no_pickles(text: bytes, rules: Rules) -> None:
    assert rules(text, "README") == set()


def test_random_bytes_raise_no_alarm(rules: Rules) -> None:
    generator = np.random.default_rng(0)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(2000):
            archive.writestr(f"data/{number}", b"\x80\x02" + generator.bytes(60))
    assert rules(buffer.getvalue(), "a.zip") == set()


def test_a_file_that_changes_meanwhile_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")

    def change(look: Look) -> str:
        path.write_bytes(b"after that")
        return "other"

    monkeypatch.setattr(scanning, "look_into", change)
    assert rules_of(scan(path)) == {"file.changed"}


def test_a_fault_of_the_scanner_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(look: Look, *, claimed: bool) -> str:
        raise ValueError

    monkeypatch.setattr(looking, "look_for_pickles", fail)
    (tmp_path / "a").write_bytes(b"x")
    found = scan(tmp_path)
    assert rules_of(found) == {"file.fault"}
    assert found.at_least("high")
    assert found.not_looked_into


def test_a_hostile_file_fills_no_report(rules: Rules, scanned: Callable[..., Scan]) -> None:
    content = b"".join(b"cevil%d\nf\n0" % number for number in range(5000)) + b"N."
    found = scanned(content)
    assert len(found.findings) == 21
    assert found.findings[0].reason == "980 more of these" or any(f.reason.endswith("more of these") for f in found.findings)


def test_names_cannot_command_the_terminal(tmp_path: Path) -> None:
    name = "a\x1b[2J\u202e.pkl"
    (tmp_path / name).write_bytes(b"c\x1b[31mevil\nf\n.")
    found = scan(tmp_path)
    said = [found.files[0].name, *(finding.reason for finding in found.findings)]
    assert all(text.isprintable() for text in said)
    (tmp_path / os.fsdecode(b"\xff\xfe")).write_bytes(b"x")
    assert len(scan(tmp_path).files) == 2


def test_the_same_files_give_the_same_scan(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.pkl").write_bytes(b"cevil\nf\n.")
    assert scan(tmp_path) == scan(tmp_path)
