"""Whoever is killed, or changes a file between check and use, leaves the old model or the new one, and never something else opened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from audit.vault import (
    ALLOW_UNSIGNED,
    Identity,
    SigningKey,
    TrustStore,
    decrypt_bytes,
    generate_identity,
    open_tensors,
    rewrap,
    seal_model_file,
    sign,
    unseal_model_file,
)
from audit.vault.age.container import find_file_key, payload_key
from audit.vault.age.header import read_header
from audit.vault.age.stream import encrypt_stream
from audit.vault.models.file_set import finish_files
from audit.vault.models.opened_model import OpenedModel
from audit.vault.models.statement_files import statement_paths
from audit.vault.signing.trust_store import Signer
from classifier.errors import IntegrityError, StorageError, UnsealError

OTHER = generate_identity()
INDEX = "m.safetensors.index.json"


def killed_at(count: int, run: Callable[[], object]) -> bool:
    """Run in a process that is killed when it renames something for the time `count`; whether it was."""
    child = os.fork()
    if child == 0:
        original, renamed = os.replace, 0

        def replace(*arguments: Any, **options: Any) -> None:
            nonlocal renamed
            renamed += 1
            if renamed == count:
                os._exit(9)
            original(*arguments, **options)

        os.replace = replace
        try:
            run()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def first_renaming_that_is_not_reached(attempt: Callable[[int], bool]) -> int:
    """Try to be killed at every renaming, from the first on."""
    count = 1
    while attempt(count):
        count += 1
    return count


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    """Two models in the clear, all zeros and all ones."""
    for value in (0, 1):
        save_file({"w": torch.full((1000,), float(value)), "b": torch.zeros(3)}, tmp_path / f"{value}.safetensors")
    return [tmp_path / f"{value}.safetensors" for value in (0, 1)]


@pytest.fixture
def shards(identity: Identity, trainer: SigningKey, tmp_path: Path) -> Path:
    """A signed model in two shards."""
    places = {}
    for i in (1, 2):
        save_file({f"t{i}": torch.full((10,), float(i))}, tmp_path / f"m-{i}.safetensors")
        places[f"t{i}"] = f"m-{i}.safetensors"
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": places}))
    seal_model_file(tmp_path / INDEX, tmp_path / "sealed", recipients=[identity.recipient], signers=[trainer], model_id="m")
    return tmp_path / "sealed" / (INDEX + ".age")


def packaged(key: SigningKey) -> TrustStore:
    return TrustStore((Signer("s", key.verifying),), ("releaser", "packager"), {}, "00" * 32, "trust.toml")


def test_a_kill_while_a_signed_model_is_sealed_anew_leaves_one_that_opens(
    models: list[Path], identity: Identity, trainer: SigningKey, tmp_path: Path
) -> None:
    said = {"recipients": [identity.recipient], "signers": [trainer], "model_id": "m"}

    def attempt(count: int) -> bool:
        path = tmp_path / str(count) / "m.safetensors.age"
        seal_model_file(models[0], path, **said)  # type: ignore[arg-type]
        killed = killed_at(count, lambda: seal_model_file(models[1], path, **said))  # type: ignore[arg-type]
        with open_tensors(path, identities=[identity], trusted=packaged(trainer)) as tensors:
            assert tensors["w"][0].item() == (0 if killed else 1)
        # Whoever does it again leaves one statement of each kind.
        seal_model_file(models[1], path, **said)  # type: ignore[arg-type]
        assert sorted(file.name.split(".")[2] for file in statement_paths(path)) == ["packaged", "released"]
        return killed

    assert first_renaming_that_is_not_reached(attempt) == 4


def test_statements_that_a_kill_left_do_no_harm_and_go_when_the_signer_speaks_again(
    models: list[Path], identity: Identity, trainer: SigningKey, tmp_path: Path
) -> None:
    path, said = tmp_path / "m" / "m.safetensors.age", {"recipients": [identity.recipient], "signers": [trainer], "model_id": "m"}
    seal_model_file(models[0], path, **said)  # type: ignore[arg-type]
    old = {file: file.read_bytes() for file in statement_paths(path)}
    seal_model_file(models[1], path, **said)  # type: ignore[arg-type]
    for file, content in old.items():
        file.write_bytes(content)
    assert len(statement_paths(path)) == 4
    with open_tensors(path, identities=[identity], trusted=packaged(trainer)) as tensors:
        assert tensors["w"][0].item() == 1
    sign(path, trainer, model_id="m", identities=[identity], recipients=[identity.recipient])
    assert [file.name.split(".")[2] for file in statement_paths(path)] == ["packaged", "packaged", "released"]


def test_a_statement_that_cannot_be_written_leaves_the_model_as_it_was(
    models: list[Path], identity: Identity, trainer: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m" / "m.safetensors.age"
    seal_model_file(models[0], path, recipients=[identity.recipient], signers=[trainer])
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    original = os.replace

    def replace(source: str, target: Path) -> None:
        if "packaged" in str(target):
            raise OSError(28, "No space left on device")
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(StorageError):
        seal_model_file(models[1], path, recipients=[identity.recipient], signers=[trainer])
    assert before.items() <= {file: file.read_bytes() for file in path.parent.iterdir()}.items()


def test_a_source_that_changes_while_it_is_sealed_replaces_nothing(
    models: list[Path], identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audit.vault.tensors.writing import Unsealed

    path = tmp_path / "m.safetensors.age"
    seal_model_file(models[0], path, recipients=[identity.recipient])
    before, original = path.read_bytes(), Unsealed.write

    def write(self: Unsealed, *arguments: object, **options: object) -> object:
        done = original(self, *arguments, **options)  # type: ignore[arg-type]
        models[1].write_bytes(models[1].read_bytes() + b"more")
        return done

    monkeypatch.setattr(Unsealed, "write", write)
    with pytest.raises(IntegrityError, match="was changed"):
        seal_model_file(models[1], path, recipients=[identity.recipient])
    assert path.read_bytes() == before


def reencrypted_in_place(path: Path, identity: Identity) -> None:
    """What another recipient can do to the open file: other weights under the same file key."""
    content = path.read_bytes()
    source = BytesIO(content)
    file_key, nonce = find_file_key(read_header(source), [identity]), source.read(16)
    start, plain, sealed = source.tell(), decrypt_bytes(content, identities=[identity]), BytesIO()
    encrypt_stream(BytesIO(plain[:-4] + b"EVIL"), sealed, payload_key(file_key, nonce))
    with path.open("r+b") as file:
        file.seek(start)
        file.write(sealed.getvalue())


@pytest.mark.parametrize("trust", ["signed", "unsigned"])
def test_a_model_that_changes_between_check_and_use_is_not_written_out(
    trust: str, models: list[Path], identity: Identity, trainer: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "m.safetensors.age", tmp_path / "out.safetensors"
    seal_model_file(models[0], path, recipients=[identity.recipient], signers=[trainer])
    original = OpenedModel.extract

    def extract(self: OpenedModel, *arguments: object) -> None:
        reencrypted_in_place(path, identity)
        original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(OpenedModel, "extract", extract)
    with pytest.raises(UnsealError, match="other numbers than were signed"):
        unseal_model_file(path, out, identities=[identity], trusted=[trainer.public] if trust == "signed" else ALLOW_UNSIGNED)
    assert not out.exists()


def test_a_package_is_about_the_file_that_is_open_whatever_takes_its_name(
    models: list[Path], identity: Identity, trainer: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.safetensors.age"
    seal_model_file(models[0], path, recipients=[identity.recipient], signers=[trainer])
    genuine, original = path.read_bytes(), OpenedModel.packaged
    rewrap(path, identities=[identity], recipients=[identity.recipient], reencrypt=True)

    def swapped(self: OpenedModel) -> dict[str, str]:
        path.with_name("genuine").write_bytes(genuine)
        path.with_name("genuine").rename(path)
        return original(self)

    monkeypatch.setattr(OpenedModel, "packaged", swapped)
    with pytest.raises(UnsealError, match="lacks the word of the packager"):
        open_tensors(path, identities=[identity], trusted=packaged(trainer))


def test_a_package_of_shards_is_about_each_of_them(shards: Path, identity: Identity, trainer: SigningKey) -> None:
    open_tensors(shards, identities=[identity], trusted=packaged(trainer)).close()
    rewrap(shards.with_name("m-2.safetensors.age"), identities=[identity], recipients=[identity.recipient])
    with pytest.raises(UnsealError, match="lacks the word of the packager"):
        open_tensors(shards, identities=[identity], trusted=packaged(trainer))
    sign(shards, trainer, role="packager", model_id="m", identities=[identity], recipients=[identity.recipient])
    rewrap(shards, identities=[identity], recipients=[OTHER.recipient], signers=[trainer])
    assert set(open_tensors(shards, identities=[OTHER], trusted=packaged(trainer))) == {"t1", "t2"}


def test_a_kill_while_shards_are_rewrapped_leaves_them_as_they_were_or_is_made_good_by_repeating_it(
    shards: Path, identity: Identity, trainer: SigningKey
) -> None:
    """Kill at every renaming in turn; the model goes to and fro between two recipients."""
    holder, other = identity, OTHER

    def attempt(count: int) -> bool:
        nonlocal holder, other

        def again() -> None:
            rewrap(shards, identities=[holder], recipients=[other.recipient])

        killed = killed_at(count, again)
        # Four files are written, one renaming decides, and then four take their places.
        if count <= 5:
            again()
        elif killed:
            with pytest.raises(UnsealError, match="is complete now"):
                again()
        assert set(open_tensors(shards, identities=[other], trusted=[trainer.public])) == {"t1", "t2"}
        assert not [file for file in shards.parent.iterdir() if file.name.endswith(".ready")]
        holder, other = other, holder
        return killed

    assert first_renaming_that_is_not_reached(attempt) == 10


def test_a_link_in_the_place_of_what_a_kill_left_moves_nothing(shards: Path, identity: Identity, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "diary").write_text("dear diary")
    shards.with_name(f".{shards.name}.ready").symlink_to(tmp_path / "private")
    with pytest.raises(StorageError):
        rewrap(shards, identities=[identity], recipients=[OTHER.recipient])
    assert (tmp_path / "private" / "diary").exists()


def test_files_that_were_written_to_since_are_not_replaced_by_what_a_kill_left(shards: Path, identity: Identity, tmp_path: Path) -> None:
    assert killed_at(7, lambda: rewrap(shards, identities=[identity], recipients=[OTHER.recipient]))
    shards.write_bytes(b"another model")
    os.utime(shards, (2e9, 2e9))
    with pytest.raises(StorageError, match="was written to after"):
        finish_files(shards)
    assert shards.read_bytes() == b"another model"
