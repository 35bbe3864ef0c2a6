"""``assay inspect`` tells what a sealed file shows without a key, within 80 columns, and fails where it is plainly wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.vault import encrypt_bytes, generate_identity
from audit.vault.age.header import Stanza, write_header
from audit.vault.published_vectors import PASSPHRASE

Assay = Callable[..., tuple[int, str, str]]
HYBRID = generate_identity()


def test_it_says_what_is_shown_and_what_is_not_known(assay: Assay, tmp_path: Path) -> None:
    content = encrypt_bytes(bytes(100_000), recipients=(HYBRID.recipient, HYBRID.recipient), armor=True)
    (tmp_path / "data.csv.age").write_bytes(content)
    code, out, err = assay("inspect", "data.csv.age")
    assert (code, err) == (0, "")
    assert "age v1, armoured" in out
    assert "2 x mlkem768x25519, argument of 1,494 characters, body of 32 bytes" in out
    assert "post-quantum  yes" in out
    assert "plaintext     100,000 bytes" in out
    assert "Not known without a key: who the recipients are" in out
    assert max(map(len, out.splitlines())) <= 80
    _, out, _ = assay("inspect", "data.csv.age", "--json")
    record = json.loads(out)
    assert (record["armored"], record["chunks"], record["plaintext_bytes"], record["complaints"]) == (True, 2, 100_000, [])


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("X25519", ("A" * 43,), "no: a quantum computer will open it"),
        ("a-grease", (), "stands for nobody, passed over"),
        ("fancy", (), "of a kind that this release does not open"),
        ("scrypt", ("A" * 22, "21"), "work factor 21, opened with --highest-work-factor 21"),
        ("scrypt", ("A" * 22, "30"), "work factor 30, beyond the 22 that this release spends"),
        ("x" * 3000, ("y" * 3000,), "x..."),
    ],
)
def test_a_kind_is_said_in_words_of_one_line(assay: Assay, tmp_path: Path, kind: str, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "it.age").write_bytes(write_header([Stanza(kind, arguments, bytes(32))], bytes(16)) + bytes(32))
    code, out, _ = assay("inspect", "it.age")
    assert code == 0
    assert said in out
    assert max(map(len, out.splitlines())) <= 100


def test_a_mixture_says_what_the_weakest_costs(assay: Assay, tmp_path: Path) -> None:
    stanzas = [Stanza("mlkem768x25519", ("A" * 1494,), bytes(32)), Stanza("X25519", ("A" * 43,), bytes(32))]
    (tmp_path / "it.age").write_bytes(write_header(stanzas, bytes(16)) + bytes(32))
    _, out, _ = assay("inspect", "it.age")
    assert "no: one recipient that is not opens the file to a quantum computer" in out


def test_what_is_plainly_wrong_is_an_integrity_failure(assay: Assay, tmp_path: Path) -> None:
    content = encrypt_bytes(bytes(70_000), recipients=(HYBRID.recipient,))
    (tmp_path / "cut.age").write_bytes(content[: len(content) - 70_000 - 16 + 65_536 + 5])
    code, out, _ = assay("inspect", "cut.age")
    assert code == 4
    assert "wrong         it was cut within a chunk: the last has 5 bytes" in out
    for other in (b"", b"PK\3\4", content[:100]):
        (tmp_path / "other.age").write_bytes(other)
        code, out, err = assay("inspect", "other.age")
        assert (code, out) == (4, "")
        assert "no age file, or its header or its armour is malformed" in err
    code, _, err = assay("inspect", "nothing.age")
    assert code == 2
    assert "cannot read nothing.age" in err


def test_it_reads_a_pipe() -> None:
    done = subprocess.run([sys.executable, "-m", "assay", "inspect", "-"], input=PASSPHRASE, capture_output=True, check=True)
    assert b"1 x scrypt: a passphrase, work factor 10" in done.stdout
