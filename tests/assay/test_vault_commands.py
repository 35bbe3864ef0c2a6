"""Sealing, opening, signing and rewrapping on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from audit.vault import read_signing_key, sign
from audit.vault.age import scrypt
from audit.vault.signing.predicates import Audited
from classifier import Classifier, Dataset
from classifier.architectures.mlp import MLP

Assay = Callable[..., tuple[int, str, str]]
GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"
TABLE = "name,value\nAda,1\n"


@pytest.fixture(autouse=True)
def _quick_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrypt, "WRITTEN", 4)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text(TABLE)
    return tmp_path / "data.csv"


@pytest.fixture
def tensors(tmp_path: Path) -> Path:
    save_file({"a": torch.arange(5.0), "b": torch.ones(2, 3)}, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def descriptor(text: str) -> str:
    """An open descriptor that holds `text`."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    return str(reading)


def test_a_file_is_sealed_to_oneself_and_opened(assay: Assay, table: Path) -> None:
    assert assay("seal", "data.csv")[:2] == (0, "data.csv.age\n")
    table.unlink()
    assert assay("unseal", "data.csv.age")[:2] == (0, "data.csv\n")
    assert table.read_text() == TABLE
    assert table.stat().st_mode & 0o777 == 0o600


def test_nothing_is_replaced_without_force(assay: Assay, table: Path) -> None:
    assay("seal", "data.csv")
    before = (table.parent / "data.csv.age").read_bytes()
    for command in (("seal", "data.csv"), ("unseal", "data.csv.age"), ("seal", "-", "-o", "data.csv.age")):
        code, _, error = assay(*command)
        assert code == 2
        assert "is there already" in error
    assert (table.parent / "data.csv.age").read_bytes() == before
    assert assay("seal", "data.csv", "--force")[0] == 0
    assert (table.parent / "data.csv.age").read_bytes() != before


def test_a_passphrase_seals_and_opens_and_another_does_not(assay: Assay, table: Path) -> None:
    assert assay("seal", "data.csv", "--passphrase-fd", descriptor("correct horse\n"))[0] == 0
    assert assay("unseal", "data.csv.age", "-o", "x", "--passphrase-fd", descriptor("correct horse"))[0] == 0
    assert (table.parent / "x").read_text() == TABLE
    code, _, error = assay("unseal", "data.csv.age", "-o", "y", "--passphrase-fd", descriptor("wrong horse"))
    assert code == 4
    assert "did not open" in error
    assert not (table.parent / "y").exists()
    assert assay("seal", "data.csv", "-o", "z", "--passphrase-fd", descriptor("x"), "--recipient", "age1x")[0] == 2


def test_a_pipe_gets_nothing_of_a_file_that_was_cut_unless_it_is_asked_for(assay: Assay, tmp_path: Path) -> None:
    plain = os.urandom(3 << 20)
    (tmp_path / "data").write_bytes(plain)
    assay("seal", "data")
    whole = (tmp_path / "data.age").read_bytes()

    def piped(content: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "assay", "unseal", "-", *arguments]
        return subprocess.run(command, input=content, capture_output=True, check=False, env=os.environ)

    assert piped(whole).stdout == plain
    cut = piped(whole[: 2 << 20])
    assert (cut.returncode, cut.stdout) == (4, b"")
    early = piped(whole[: 2 << 20], "--stream-unverified")
    assert early.returncode == 4
    assert plain.startswith(early.stdout)
    assert early.stdout


def test_what_is_sealed_from_a_pipe_in_armour_opens(assay: Assay, tmp_path: Path) -> None:
    assay("keygen")
    command = [sys.executable, "-m", "assay", "seal", "-", "--armor"]
    sealed = subprocess.run(command, input=b"plain", capture_output=True, check=True, env=os.environ).stdout
    assert sealed.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----\n")
    (tmp_path / "x.age").write_bytes(sealed)
    assert assay("unseal", "x.age")[0] == 0
    assert (tmp_path / "x").read_bytes() == b"plain"


def signed_model(assay: Assay) -> str:
    """Seal and sign m.safetensors; gives the signer's public key."""
    public = assay("keygen", "--kind", "signing", "--passphrase-fd", descriptor("sign"))[1].strip()
    arguments = ("--sign", "--signing-passphrase-fd", descriptor("sign"), "--model", "credit", "--model-version", "2")
    assert assay("seal", "m.safetensors", *arguments)[:2] == (0, "m.safetensors.age\n")
    return public


def test_a_model_opens_on_the_word_of_its_signer(assay: Assay, tensors: Path) -> None:
    public = signed_model(assay)
    code, _, error = assay("unseal", "m.safetensors.age", "-o", "out.safetensors")
    assert code == 2
    assert "nobody is named" in error
    code, out, error = assay("unseal", "m.safetensors.age", "-o", "out.safetensors", "--signer", public, "--model", "credit")
    assert (code, out) == (0, "out.safetensors\n")
    assert "of 'credit' version 2" in error
    assert load_file(tensors.parent / "out.safetensors")["a"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert assay("unseal", "m.safetensors.age", "-o", "no.safetensors", "--signer", public, "--model", "fraud")[0] == 4
    other = assay("keygen", "--kind", "signing", "--unprotected", "--output", "other.txt")[1].strip()
    assert assay("unseal", "m.safetensors.age", "-o", "no.safetensors", "--signer", other)[0] == 4
    assert not (tensors.parent / "no.safetensors").exists()
    assert assay("unseal", "m.safetensors.age", "-o", "any.safetensors", "--allow-unsigned")[0] == 0


def test_a_second_signer_adds_a_statement_and_a_store_requires_both(assay: Assay, tensors: Path) -> None:
    first = signed_model(assay)
    second = assay("keygen", "--kind", "signing", "--unprotected", "--output", "second.txt")[1].strip()
    mine = assay("keygen", "--show")[1].strip()
    (tensors.parent / "trust.toml").write_text(
        f'[trust]\nrequired_roles = ["packager", "releaser"]\n'
        f'[[signer]]\nname = "one"\npublic = "{first}"\nroles = ["packager"]\n'
        f'[[signer]]\nname = "two"\npublic = "{second}"\nroles = ["releaser"]\n'
    )
    opening = ("unseal", "m.safetensors.age", "-o", "out.safetensors", "--trust", "trust.toml")
    code, _, error = assay(*opening)
    assert code == 4
    assert "may speak as packager only" in error
    about = ("--model", "credit", "--model-version", "2", "--recipient", mine, "--signing-key", "second.txt")
    assert assay("sign", "m.safetensors.age", *about)[0] == 0
    code, _, error = assay(*opening)
    assert code == 0
    assert [line.split(",")[0].split() for line in error.splitlines()][:2] == [["packager", "one"], ["releaser", "two"]]


def test_an_audit_that_failed_opens_nothing_and_is_told_beside_another_word(assay: Assay, tensors: Path) -> None:
    first = signed_model(assay)
    auditor = assay("keygen", "--kind", "signing", "--unprotected", "--output", "auditor.txt")[1].strip()
    mine = assay("keygen", "--show")[1].strip()
    about = ("--model", "credit", "--model-version", "2", "--recipient", mine, "--signing-key", "auditor.txt")
    code, _, error = assay("sign", "m.safetensors.age", "--as", "auditor", "--audit", str(GOLDEN), *about)
    assert code == 2
    assert "the audit is of the classifier" in error
    failed = Audited("ab" * 32, failed=("BROKEN",))
    key = read_signing_key(tensors.parent / "auditor.txt")
    sign(tensors.parent / "m.safetensors.age", key, role="auditor", audit=failed, model_id="credit", version=2, recipients=[mine])
    opening = ("unseal", "m.safetensors.age", "-o", "out.safetensors", "--signer", auditor)
    code, _, error = assay(*opening)
    assert code == 4
    assert "found rules violated" in error
    code, _, error = assay(*opening, "--signer", first)
    assert code == 0
    assert "(FAILED), of 'credit' version 2" in error


def test_a_model_under_another_name_is_a_model_all_the_same(assay: Assay, tensors: Path) -> None:
    signed_model(assay)
    content = (tensors.parent / "m.safetensors.age").read_bytes()
    for name in ("weights.bin.age", "M.SAFETENSORS.AGE", "weights"):
        (tensors.parent / name).write_bytes(content)
        for output in ("out", "-"):
            code, out, error = assay("unseal", name, "-o", output)
            assert (code, out) == (2, ""), name
            assert "nobody is named" in error
    piped = [sys.executable, "-m", "assay", "unseal", "-"]
    assert subprocess.run(piped, input=content, capture_output=True, check=False, env=os.environ).returncode == 2
    assert assay("unseal", "weights.bin.age", "-o", "out", "--allow-unsigned")[0] == 0
    assert load_file(tensors.parent / "out")["b"].shape == (2, 3)


def test_a_statement_is_not_replaced_without_force(assay: Assay, tensors: Path) -> None:
    signed_model(assay)
    (tensors.parent / "m.safetensors.age").unlink()
    before = {file: file.read_bytes() for file in tensors.parent.glob("*.dsse.json*")}
    command = ("seal", "m.safetensors", "--sign", "--signing-passphrase-fd")
    code, _, error = assay(*command, descriptor("sign"))
    assert code == 2
    assert "is there already" in error
    assert {file: file.read_bytes() for file in tensors.parent.glob("*.dsse.json*")} == before
    assert assay(*command, descriptor("sign"), "--force")[0] == 0


def test_the_highest_work_factor_holds_for_models(assay: Assay, tensors: Path) -> None:
    assert assay("seal", "m.safetensors", "--passphrase-fd", descriptor("correct horse"))[0] == 0
    for command in (
        ("unseal", "m.safetensors.age", "-o", "out.safetensors", "--allow-unsigned"),
        ("rewrap", "m.safetensors.age", "--new-passphrase-fd", descriptor("battery")),
    ):
        assert assay(*command, "--passphrase-fd", descriptor("correct horse"), "--highest-work-factor", "3")[0] == 4, command


def test_rewrapping_says_what_it_did_and_that_it_takes_nothing_back(assay: Assay, tensors: Path) -> None:
    public = signed_model(assay)
    other = assay("keygen", "--output", "other.txt")[1].strip()
    code, out, error = assay("rewrap", "m.safetensors.age", "--recipient", other)
    assert code == 0
    assert out.count("rewrapped") == 2
    assert "outdated   m.safetensors.packaged" in out
    assert "can still open every copy" in error
    opening = ("unseal", "m.safetensors.age", "-o", "out.safetensors", "--signer", public)
    assert assay(*opening)[0] == 4
    assert assay(*opening, "--identity-file", "other.txt")[0] == 0
    classical = assay("keygen", "--recipient-type", "x25519", "--output", "old.txt")[1].strip()
    code, _, error = assay("rewrap", "m.safetensors.age", "--identity-file", "other.txt", "--recipient", classical)
    assert code == 2
    assert "shut to quantum computers" in error


def test_a_saved_classifier_is_sealed_whole(assay: Assay, tmp_path: Path) -> None:
    from audit.vault import ALLOW_UNSIGNED, unseal

    architecture, schema = MLP(hidden=(3,)), Dataset.builtin("moons").schema
    classifier = Classifier.wrap(architecture.build(schema, 2), schema=schema, classes=("a", "b"), factory=architecture)
    classifier.save(tmp_path / "saved")
    assert assay("seal", "saved")[:2] == (0, "saved.safetensors.age\n")
    assert unseal(tmp_path / "saved.safetensors.age", trusted=ALLOW_UNSIGNED).digest == classifier.digest
    (tmp_path / "folder").mkdir()
    code, _, error = assay("seal", "folder")
    assert code == 2
    assert "is a folder" in error


def test_what_cannot_be_signed_is_refused(assay: Assay, table: Path) -> None:
    for command in (
        ("seal", "data.csv", "--sign"),
        ("seal", "data.csv", "--signing-passphrase-fd", "9"),
        ("unseal", "data.csv.age", "--trust", "trust.toml"),
        ("unseal", "data.csv.age", "--stream-unverified", "-o", "x"),
    ):
        code, _, error = assay(*command)
        assert code == 2, command
        assert "next:" in error


def test_commands_that_need_no_tensors_import_no_torch(table: Path, assay: Assay) -> None:
    assay("keygen")
    script = (
        "import sys\nfrom assay.__main__ import app\n"
        "app(['seal', 'data.csv'], standalone_mode=False)\napp(['unseal', 'data.csv.age', '-o', 'x'], standalone_mode=False)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, env=os.environ, cwd=table.parent).returncode == 0


def test_a_command_leaves_no_core_dump(assay: Assay) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (min(4096, hard) if hard >= 0 else 4096, hard))
    assay("keygen", "--show")
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0


def test_pseudonyms_are_made_with_ones_own_key_unless_another_is_named(assay: Assay, table: Path) -> None:
    plan = '[columns.name]\naction = "pseudonym"\n[columns.value]\naction = "keep"\n'
    (table.parent / "plan.toml").write_text('dataset = "d"\n' + plan)
    command = ("deidentify", "data.csv", "--plan", "plan.toml", "--force", "--output")
    code, _, error = assay(*command, "out.csv")
    assert code == 2
    assert "assay keygen --kind pseudonym" in error
    assay("keygen", "--kind", "pseudonym")
    for name in ("out.csv", "again.csv"):
        assert assay(*command, name)[0] == 0
    assert assay(*command, "other.csv", "--key-file", "new:other.key")[0] == 0
    mine, again, other = ((table.parent / name).read_text() for name in ("out.csv", "again.csv", "other.csv"))
    assay("seal", "data.csv")
    table.unlink()
    assert assay("deidentify", "data.csv.age", "--plan", "plan.toml", "--output", "sealed.csv")[0] == 0
    assert (table.parent / "sealed.csv").read_text() == mine
    assert mine == again
    assert "Ada" not in mine + other
    assert mine != other
