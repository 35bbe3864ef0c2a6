"""Models in shards: one manifest over all of them, and all or nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from audit.vault import (
    ALLOW_UNSIGNED,
    Identity,
    SigningKey,
    decrypt_bytes,
    decrypt_file,
    encrypt_bytes,
    generate_identity,
    generate_signing_key,
    open_tensors,
    rewrap,
    seal_model_file,
)
from audit.vault.models.opened_model import open_model
from audit.vault.tensors import shards
from audit.vault.tensors.manifest import KEY
from audit.vault.tensors.shards import parse_index
from classifier.errors import IntegrityError, StorageError, UnsealError

INDEX = "m.safetensors.index.json"
SHARDS = [f"m-{i}-of-3.safetensors" for i in (1, 2, 3)]


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return generate_signing_key()


def make_shards(folder: Path, seed: int = 0) -> Path:
    folder.mkdir()
    generator = torch.Generator().manual_seed(seed)
    places = {}
    for i, shard in enumerate(SHARDS):
        tensors = {f"layer.{i}.weight": torch.randn(30, 40, generator=generator), f"layer.{i}.bias": torch.randn(40, generator=generator)}
        save_file(tensors, folder / shard, {"format": "pt"})
        places |= dict.fromkeys(tensors, shard)
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return folder / INDEX


@pytest.fixture
def sealed(identity: Identity, key: SigningKey, tmp_path: Path) -> Path:
    seal_model_file(make_shards(tmp_path / "plain"), tmp_path / "sealed", recipients=[identity.recipient], signers=[key], version=2)
    return tmp_path / "sealed" / (INDEX + ".age")


def test_shards_open_lazily_as_one_model(sealed: Path, identity: Identity, key: SigningKey, tmp_path: Path) -> None:
    expected = {name: tensor for shard in SHARDS for name, tensor in load_file(tmp_path / "plain" / shard).items()}
    for trusted in ([key.public], ALLOW_UNSIGNED):
        lazy = open_tensors(sealed, identities=[identity], trusted=trusted)
        assert lazy.keys() == expected.keys()
        assert all(torch.equal(lazy[name], tensor) for name, tensor in expected.items())


def test_each_shard_opens_to_the_very_file_and_the_index_to_what_other_tools_read(sealed: Path, identity: Identity, tmp_path: Path) -> None:
    for shard in SHARDS:
        decrypt_file(sealed.with_name(shard + ".age"), tmp_path / "again", identities=[identity])
        assert (tmp_path / "again").read_bytes() == (tmp_path / "plain" / shard).read_bytes()
    index = json.loads(decrypt_bytes(sealed.read_bytes(), identities=[identity]))
    original = json.loads((tmp_path / "plain" / INDEX).read_text())
    assert {name: index[name] for name in original} == original
    assert index.keys() - original.keys() == {KEY}


@pytest.mark.parametrize("trust", ["signed", "unsigned"])
def test_shards_of_two_versions_are_refused(trust: str, sealed: Path, identity: Identity, key: SigningKey, tmp_path: Path) -> None:
    seal_model_file(
        make_shards(tmp_path / "newer", seed=1), tmp_path / "sealed2", recipients=[identity.recipient], signers=[key], version=3
    )
    shutil.copy(tmp_path / "sealed2" / (SHARDS[1] + ".age"), sealed.parent)
    lazy = open_tensors(sealed, identities=[identity], trusted=[key.public] if trust == "signed" else ALLOW_UNSIGNED)
    with pytest.raises(UnsealError, match="other numbers"):
        lazy["layer.1.weight"]
    lazy["layer.0.weight"]


def test_unsigned_shards_of_two_versions_are_not_loaded_together(sealed: Path, identity: Identity, tmp_path: Path) -> None:
    seal_model_file(make_shards(tmp_path / "newer", seed=1), tmp_path / "sealed2", recipients=[identity.recipient])
    with open_model(sealed, [identity]) as model:
        assert len(model.load(verified=False)) == 6
    shutil.copy(tmp_path / "sealed2" / (SHARDS[1] + ".age"), sealed.parent)
    with pytest.raises(UnsealError, match="other tensors than it states"), open_model(sealed, [identity]) as model:
        model.load(verified=False)


def test_two_shards_that_were_swapped_are_refused(sealed: Path, identity: Identity, key: SigningKey) -> None:
    first, second = (sealed.with_name(shard + ".age") for shard in SHARDS[:2])
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(UnsealError, match="disagree about tensor"):
        open_tensors(sealed, identities=[identity], trusted=[key.public])


def test_a_missing_shard_is_told(sealed: Path, identity: Identity, key: SigningKey) -> None:
    sealed.with_name(SHARDS[2] + ".age").unlink()
    with pytest.raises(StorageError, match=r"m-3-of-3\.safetensors\.age"):
        open_tensors(sealed, identities=[identity], trusted=[key.public])
    os.mkfifo(sealed.with_name(SHARDS[2] + ".age"))
    with pytest.raises(StorageError, match="is no plain file"):
        open_tensors(sealed, identities=[identity], trusted=[key.public])


def _moved(index: dict[str, Any]) -> None:
    index["weight_map"]["layer.0.bias"] = SHARDS[1]


def _dropped(index: dict[str, Any]) -> None:
    del index["weight_map"]["layer.0.bias"]


def _outside(index: dict[str, Any]) -> None:
    index["weight_map"] = {name: "../" + shard for name, shard in index["weight_map"].items()}


def _absolute(index: dict[str, Any]) -> None:
    index["weight_map"] = dict.fromkeys(index["weight_map"], "/etc/m.safetensors")


def _cases(index: dict[str, Any]) -> None:
    index["weight_map"]["layer.0.bias"] = SHARDS[0].upper().replace("SAFETENSORS", "safetensors")


def _digest(index: dict[str, Any]) -> None:
    index[KEY]["sha256"][SHARDS[0]][0] = "00" * 32


def _salt(index: dict[str, Any]) -> None:
    index[KEY]["salt"] = "00" * 32


@pytest.mark.parametrize("change", [_moved, _dropped, _outside, _absolute, _cases, _digest, _salt])
def test_an_index_that_a_recipient_changed_is_refused(
    change: Callable[[dict[str, Any]], None], sealed: Path, identity: Identity, key: SigningKey
) -> None:
    index = json.loads(decrypt_bytes(sealed.read_bytes(), identities=[identity]))
    change(index)
    sealed.write_bytes(encrypt_bytes(json.dumps(index).encode(), recipients=[identity.recipient]))
    with pytest.raises(UnsealError):
        open_tensors(sealed, identities=[identity], trusted=[key.public])


def test_all_shards_of_an_index_are_rewrapped(sealed: Path, identity: Identity, key: SigningKey) -> None:
    before = dict(open_tensors(sealed, identities=[identity], trusted=[key.public]))
    other = generate_identity()
    done = rewrap(sealed, identities=[identity], recipients=[other.recipient], reencrypt=True)
    assert len(done.files) == 5
    after = open_tensors(sealed, identities=[other], trusted=[key.public])
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("missing", [INDEX, *SHARDS])
def test_shards_that_are_not_whole_are_not_sealed_and_leave_nothing(missing: str, identity: Identity, tmp_path: Path) -> None:
    index = make_shards(tmp_path / "plain")
    (tmp_path / "plain" / missing).unlink()
    with pytest.raises(StorageError):
        seal_model_file(index, tmp_path / "sealed", recipients=[identity.recipient])
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "plain"] == []


def test_an_index_that_does_not_fit_its_shards_is_not_sealed(identity: Identity, tmp_path: Path) -> None:
    index = make_shards(tmp_path / "plain")
    content = json.loads(index.read_text())
    content["weight_map"]["absent"] = SHARDS[0]
    index.write_text(json.dumps(content))
    with pytest.raises(IntegrityError, match="disagree about tensor 'absent'"):
        seal_model_file(index, tmp_path / "sealed", recipients=[identity.recipient])
    assert not (tmp_path / "sealed").exists()


def test_a_folder_with_other_things_is_not_replaced(identity: Identity, tmp_path: Path) -> None:
    index = make_shards(tmp_path / "plain")
    (tmp_path / "sealed").mkdir()
    (tmp_path / "sealed" / "thesis.txt").write_text("years of work")
    with pytest.raises(StorageError, match=r"holds 'thesis\.txt'"):
        seal_model_file(index, tmp_path / "sealed", recipients=[identity.recipient])
    assert (tmp_path / "sealed" / "thesis.txt").read_text() == "years of work"


def test_two_spellings_of_one_name_are_no_two_shards() -> None:
    for names in (("\u00e9", "e\u0301"), ("A", "a"), ("\u017f", "s")):
        places = {f"t{i}": f"{name}.safetensors" for i, name in enumerate(names)}
        with pytest.raises(IntegrityError, match="differ in more than case and spelling"):
            parse_index(json.dumps({"weight_map": places}).encode(), "index")


def test_an_index_that_could_not_be_read_again_is_not_sealed(identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = make_shards(tmp_path / "plain")
    monkeypatch.setattr(shards, "LONGEST", index.stat().st_size + 100)
    with pytest.raises(IntegrityError, match="with the digests of its tensors"):
        seal_model_file(index, tmp_path / "sealed", recipients=[identity.recipient])
    assert not (tmp_path / "sealed").exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["weight_map", KEY, "a", "b"]), inner, max_size=3),
    max_leaves=12,
)


def test_any_json_is_an_index_or_an_error(fuzz: settings) -> None:
    @fuzz
    @given(JSON)
    def check(content: Any) -> None:
        try:
            index = parse_index(json.dumps(content).encode(), "index")
        except IntegrityError:
            return
        assert all(shard.endswith(".safetensors") and "/" not in shard for shard in index.shards())

    check()
