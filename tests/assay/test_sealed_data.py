"""The commands take sealed data like plain ones: the same numbers, no plaintext left behind, and one error if a file is not whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.bundle import Audit
from audit.vault import Identity, default_identity, encrypt_file, generate_identity
from classifier.builtin import GERMAN_CREDIT

Assay = Callable[..., tuple[int, str, str]]
TOML = """
[audit]
name = "{name}"
profile = "quick"
[data]
path = "{data}"
target = "credit_risk"
event = "bad"
protected = ["foreign_worker"]
[decision]
favourable = "good"
[model]
architecture = "mlp"
hidden = [4]
[model.training]
epochs = 2
"""
PLAIN, SEALED = "credit.csv", "credit.csv.age"
# A row as it stands in the file.
ROW = GERMAN_CREDIT.read_bytes().splitlines()[7]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Configurations of a plain and of a sealed table."""
    for name, data in (("plain", PLAIN), ("sealed", SEALED)):
        (tmp_path / f"{name}.toml").write_text(TOML.format(name=name, data=data))
    (tmp_path / PLAIN).write_bytes(GERMAN_CREDIT.read_bytes())
    return tmp_path


@pytest.fixture
def identity(folder: Path) -> Identity:
    """Whom the table is sealed to, and a file that holds it."""
    made = generate_identity()
    (folder / "key.txt").write_text(made.reveal())
    encrypt_file(folder / PLAIN, folder / SEALED, recipients=[made.recipient])
    return made


def numbers(folder: Path, name: str) -> list[Any]:
    """All that was measured, but for what the record says of the file."""
    evidence = json.loads((folder / "reports" / name / "audit.json").read_bytes())["evidence"]
    shown = [[part for part in check["tables"] + check["figures"] if not part["single"]] for check in evidence]
    return [[check["metrics"], parts] for check, parts in zip(evidence, shown, strict=True)]


def audited_alike(assay: Assay, folder: Path, *options: str) -> None:
    default_identity()
    encrypt_file(folder / PLAIN, folder / SEALED)
    for name in ("plain", "sealed"):
        code, _, said = assay("audit", f"{name}.toml", "--quiet", *options)
        assert code == 0, said
        (folder / PLAIN).unlink(missing_ok=True)
    assert numbers(folder, "sealed") == numbers(folder, "plain")
    assert not [path for path in folder.rglob("*") if path.is_file() and ROW in path.read_bytes()]
    plain, sealed = (Audit.load(folder / "reports" / name).identity for name in ("plain", "sealed"))
    assert sealed.source["name"] == SEALED
    assert not set(plain.data.values()) & set(sealed.data.values())
    record = json.loads((folder / "reports" / "sealed" / "audit.json").read_bytes())
    assert not [part for check in record["evidence"] for part in check["tables"] + check["figures"] if part["single"]]
    assert "is sealed to the recipients of this audit" in (folder / "reports" / "sealed" / "report.en.html").read_text()


def test_an_audit_of_sealed_data_measures_the_same(assay: Assay, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.selftest.ENGINES", ())  # it takes most of the time, and knows no data
    audited_alike(assay, folder, "--only", "performance.accuracy", "--only", "data")


@pytest.mark.slow
def test_a_whole_audit_of_sealed_data_measures_the_same(assay: Assay, folder: Path) -> None:
    audited_alike(assay, folder)


@pytest.mark.parametrize("command", ["check", "audit", "train", "explain"])
def test_a_changed_byte_stops_every_command_before_anything_is_written(
    assay: Assay, folder: Path, identity: Identity, command: str
) -> None:
    content = bytearray((folder / SEALED).read_bytes())
    content[-20] ^= 1
    (folder / SEALED).write_bytes(content)
    before = sorted(path.name for path in folder.iterdir())
    options = [] if command == "check" else ["--quiet"]
    # A recipient is named, so that no key is made for what would be sealed.
    text = (folder / "sealed.toml").read_text() + f'[seal]\nrecipients = ["{identity.recipient}"]\n'
    (folder / "sealed.toml").write_text(text)
    code, out, said = assay(command, "sealed.toml", "--identity-file", "key.txt", *options)
    assert (code, out) == (4, "")
    assert said.startswith(f"error: {SEALED}: the sealed file did not open\nnext:  check that you gave the identity")
    assert sorted(path.name for path in folder.iterdir()) == before


def test_the_commands_open_sealed_data_with_what_they_are_given(assay: Assay, folder: Path, identity: Identity) -> None:
    (folder / PLAIN).unlink()
    code, out, said = assay("check", "sealed.toml")
    assert (code, out) == (2, "")
    assert "the data are sealed, and there is no identity in" in said
    assert "--identity-file PATH" in said
    code, out, said = assay("check", "sealed.toml", "--identity-file", "key.txt")
    assert code == 0, said
    assert f"Data: {SEALED}\n  1000 rows read" in out
    code, out, said = assay("train", "sealed.toml", "--quiet", "--identity-file", "key.txt")
    assert code == 0, said
    assert not [path for path in (folder / "trained").rglob("*") if path.is_file() and ROW in path.read_bytes()]
    code, out, said = assay("explain", "sealed.toml", "--quiet", "--rows", "3", "--identity-file", f"fd:{opened(folder / 'key.txt')}")
    assert code == 0, said
    assert out.startswith("Row 3 ")


def test_a_passphrase_comes_from_a_descriptor(assay: Assay, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.vault.age.scrypt.WRITTEN", 10)  # cheap to guess, and quick
    encrypt_file(folder / PLAIN, folder / SEALED, passphrase="open sesame")
    for passphrase, expected in (("open sesame\n", 0), ("open says me\n", 4)):
        (folder / "passphrase").write_text(passphrase)
        code, _, said = assay("check", "sealed.toml", "--passphrase-fd", str(opened(folder / "passphrase")))
        assert code == expected, said


def opened(path: Path) -> int:
    """A descriptor, as a shell opens one for a command."""
    return os.open(path, os.O_RDONLY)
