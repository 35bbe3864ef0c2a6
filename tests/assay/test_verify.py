"""``assay verify`` says what was judged and what was not, and its exit code can be relied on."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.attestation import sign_bundle
from audit.vault.signing.keys import SigningKey, generate_signing_key

Assay = Callable[..., tuple[int, str, str]]
GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return generate_signing_key()


@pytest.fixture
def signed(tmp_path: Path, key: SigningKey) -> Path:
    """A signed bundle, and beside it a trust store and the signer's public key."""
    shutil.copytree(GOLDEN, tmp_path / "bundle")
    sign_bundle(tmp_path / "bundle", key, model_id="信用 credit", version=3, now=datetime.datetime.now(datetime.UTC))
    (tmp_path / "key.pub").write_text(key.public + "\n")
    (tmp_path / "trust.toml").write_text(f'[[signer]]\nname = "Ada"\npublic = "{key.public}"\nroles = ["auditor"]\n')
    return tmp_path


def test_a_trusted_signature_is_told_with_what_it_says(assay: Assay, signed: Path, key: SigningKey) -> None:
    code, out, err = assay("verify", "bundle", "--trust", "trust.toml")
    assert (code, err) == (1, "")  # the files are whole, and what was signed is that a rule is violated
    assert all(len(line) <= 80 for line in out.splitlines())
    for told in (
        "12 files are as the audit left them",
        "Ada, as auditor",
        key.key_id,
        "信用 credit, version 3",
        "as the signer claims",
        "FAILED",
    ):
        assert told in out
    for signer in (key.public, "key.pub"):
        assert key.key_id in assay("verify", "bundle", "--signer", signer)[1]


def test_without_anyone_to_trust_it_says_that_nothing_was_judged(assay: Assay, signed: Path, key: SigningKey) -> None:
    code, out, _ = assay("verify", "bundle")
    assert code == 0
    assert f"not judged; it claims key {key.key_id}" in out
    code, out, _ = assay("verify", str(GOLDEN))
    assert code == 0
    assert out.splitlines()[0] == "12 files are as the audit left them; the bundle is not signed"


def test_json_says_the_same(assay: Assay, signed: Path, key: SigningKey) -> None:
    told = json.loads(assay("verify", "bundle", "--json")[1])
    assert (told["files"], told["signed"], told["judged"], told["claimed_key"]) == (12, True, False, key.key_id)
    assert "result" not in told
    told = json.loads(assay("verify", "bundle", "--json", "--trust", "trust.toml")[1])
    assert (told["signer"], told["judged"], told["result"], told["failed"]) == ("Ada", True, "FAILED", ["PERFECT"])
    assert told["model"] == {"id": "信用 credit", "version": 3}


def test_a_signature_that_is_required_and_missing_or_of_a_stranger_is_4(assay: Assay, signed: Path) -> None:
    code, out, err = assay("verify", str(GOLDEN), "--trust", "trust.toml", "--json")
    assert (code, out) == (4, "")
    assert "is not signed, and trust.toml requires the word of an auditor" in err
    stranger = generate_signing_key()
    code, out, err = assay("verify", "bundle", "--signer", stranger.public)
    assert (code, out) == (4, "")
    assert "which is not trusted" in err
    assert assay("verify", "bundle", "--trust", "trust.toml", "--model", "another")[0] == 4
    (signed / "bundle" / "audit.json").write_text("{}")
    code, _, err = assay("verify", "bundle", "--trust", "trust.toml")
    assert code == 4
    assert "audit.json was changed" in err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nowhere",), "there is no folder nowhere"),
        (("key.pub",), "key.pub is a file, required is the folder of a bundle"),
        (("bundle", "--trust", "nowhere.toml"), "there is no trust store nowhere.toml"),
        (("bundle", "--trust", "key.pub"), "key.pub is not TOML"),
        (("bundle", "--trust", "trust.toml", "--signer", "key.pub"), "exclude each other"),
        (("bundle", "--signer", "nowhere"), "--signer is no public key"),
        (("bundle", "--model", "credit"), "no signature is judged"),
    ],
)
def test_what_cannot_be_asked_is_2(assay: Assay, signed: Path, arguments: tuple[str, ...], problem: str) -> None:
    code, out, err = assay("verify", *arguments)
    assert (code, out) == (2, "")
    assert problem in err


def test_a_secret_given_as_a_signer_is_not_repeated(assay: Assay, signed: Path, key: SigningKey) -> None:
    (signed / "secret").write_text(key.reveal())
    for given in (key.reveal(), key.reveal()[:-1], "secret"):
        code, out, err = assay("verify", "bundle", "--signer", given)
        assert (code, out) == (2, "")
        assert key.reveal()[20:50] not in err


def test_a_bundle_is_verified_without_any_numerical_library(signed: Path) -> None:
    code = (
        "import sys; from assay.__main__ import app; app(['verify', 'bundle', '--trust', 'trust.toml'], standalone_mode=False);"
        "print(sorted({'torch', 'numpy', 'scipy', 'pandas', 'matplotlib', 'safetensors'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=signed)
    assert done.stdout.splitlines()[-1] == "[]"
