"""What the page of the vault tells to type works, in its order."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from audit.vault import TrustStore, generate_signing_key
from audit.vault.age import scrypt
from classifier import Dataset
from trainer import Recipe, train

Assay = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "vault.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All that the commands name."""
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    save_file({"a": torch.ones(2)}, tmp_path / "llama-1.safetensors")
    (tmp_path / "llama.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "llama-1.safetensors"}}))
    train(Dataset.builtin("moons"), Recipe("logistic", epochs=1), progress=False).save(tmp_path / "trained")
    shutil.copytree(ROOT / "tests" / "golden" / "bundle-v1", tmp_path / "reports" / "german-credit")
    return tmp_path


def test_the_commands_of_the_page_run_in_their_order(assay: Assay, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrypt, "WRITTEN", 4)
    for module in ("secrets", "signing"):
        monkeypatch.setattr(f"assay.{module}.ask_passphrase", lambda *_, **__: "a passphrase")
    commands = [shlex.split(line, comments=True)[1:] for line in re.findall(r"^    (assay .*)$", PAGE, flags=re.MULTILINE)]
    assert len(commands) > 12
    recipient = signer = ""
    for command in commands:
        if "trust.toml" in command and not (folder / "trust.toml").exists():
            # One signer stands in for the two of the page.
            text = documented_store(signer, signer_two=generate_signing_key().public)
            roles = 'roles = ["trainer", "packager", "releaser", "auditor"]'
            (folder / "trust.toml").write_text(text.replace('roles = ["trainer", "packager"]', roles))
        code, out, error = assay(*(word.replace("age1pq1...", recipient) for word in command))
        # The golden audit violates a rule, which is what its verification then says.
        assert code == (1 if command[:2] == ["verify", "reports/german-credit"] else 0), (command, error)
        if command == ["keygen"]:
            recipient = out.strip()
        if command[:3] == ["keygen", "--kind", "signing"]:
            signer = out.strip()
    assert (folder / "opened.csv").read_text() == "a,b\n1,2\n"


def test_the_trust_store_of_the_page_is_one() -> None:
    one, two = generate_signing_key().public, generate_signing_key().public
    store = TrustStore.parse(documented_store(one, signer_two=two).encode(), "trust.toml")
    assert [signer.name for signer in store.signers] == ["model team", "risk committee"]
    assert store.rule("credit").minimum_version == 3
    assert store.rule("credit").required_roles == ("trainer", "releaser")


def documented_store(signer: str, *, signer_two: str) -> str:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(text).replace("assaysigner1...", signer, 1).replace("assaysigner1...", signer_two, 1)
