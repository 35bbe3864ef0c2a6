"""What a recipient forges, who can open and seal and has no signing key, opens for nobody who trusts the signer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from audit.vault import Identity, SigningKey, decrypt_bytes, encrypt_bytes, open_tensors, seal, unseal
from audit.vault.tensors.manifest import KEY
from classifier import Classifier
from classifier.description import METADATA
from classifier.errors import UnsealError

Change = Callable[[dict[str, Tensor], dict[str, str]], None]


@pytest.fixture(scope="module")
def classifier(make_classifier: Callable[[int], Classifier]) -> Classifier:
    return make_classifier(0)


@pytest.fixture
def path(classifier: Classifier, identity: Identity, trainer: SigningKey, tmp_path: Path) -> Path:
    path = tmp_path / "models" / "credit.safetensors.age"
    seal(classifier, path, recipients=[identity.recipient], signers=[trainer], version=3)
    return path


def resealed(path: Path, identity: Identity, change: Change) -> None:
    """What a recipient can do, who has no signing key: open, change, and seal again under the statements that are there."""
    content = decrypt_bytes(path.read_bytes(), identities=[identity])
    tensors, header = load(content), json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = header["__metadata__"]
    change(tensors, metadata)
    path.write_bytes(encrypt_bytes(save(tensors, metadata), recipients=[identity.recipient]))


def _other_weights(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    tensors["4.bias"] += 1


def _one_bit(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    tensors["2.weight"].view(torch.int32)[0, 0] ^= 1


def _swapped_tensors(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    tensors["0.mean"], tensors["0.deviation"] = tensors["0.deviation"], tensors["0.mean"]


def _another_type(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    tensors["4.bias"] = tensors["4.bias"].view(torch.int32)


def _another_shape(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    tensors["2.weight"] = tensors["2.weight"].reshape(2, 16)


def _a_tensor_more(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    tensors["more"] = torch.zeros(0)


def _described(change: Callable[[dict[str, object]], None]) -> Change:
    def changed(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
        document = json.loads(metadata[METADATA])
        change(document)
        metadata[METADATA] = json.dumps(document)

    return changed


def _honest_digests(change: Change) -> Change:
    """The forger also states the digests of what they put there, in the order in which the library writes tensors."""

    def changed(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
        from audit.vault.tensors.writing import Unsealed, _digest

        change(tensors, metadata)
        unsealed = Unsealed.of_tensors(tensors, metadata)
        stated = json.loads(metadata[KEY])
        content = save(tensors, metadata)
        order = [name for name in json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]) if name != "__metadata__"]
        by_name = dict(zip(unsealed.layout.tensors, (_digest(part, memoryview(b"")) for part in unsealed.contents), strict=True))
        metadata[KEY] = json.dumps({**stated, "sha256": {"": [by_name[name] for name in order]}})

    return changed


WEIGHTS = [_other_weights, _one_bit, _swapped_tensors, _another_type, _another_shape, _a_tensor_more]
DESCRIPTIONS = [
    _described(lambda document: document["classes"].reverse()),  # type: ignore[attr-defined]
    _described(lambda document: document["schema"]["features"][0].update(high=100.0)),  # type: ignore[index]
    _described(lambda document: document["card"].update(intended_use="anything")),  # type: ignore[attr-defined]
    _described(lambda document: document["options"].update(hidden=[16, 16])),  # type: ignore[attr-defined]
    _described(lambda document: document.update(calibration={"temperature": 2.0})),
]


@pytest.mark.parametrize("change", [*WEIGHTS, *map(_honest_digests, WEIGHTS), *DESCRIPTIONS])
def test_what_a_recipient_changes_under_copied_statements_is_refused(
    change: Change, path: Path, classifier: Classifier, identity: Identity, trainer: SigningKey
) -> None:
    resealed(path, identity, change)
    with pytest.raises(UnsealError):
        unseal(path, identities=[identity], trusted=[trainer.public])
    # Opened lazily, what was changed does not come out, though the rest may.
    original = classifier.tensors()
    try:
        lazy = open_tensors(path, identities=[identity], trusted=[trainer.public])
    except UnsealError:
        return
    for name in lazy:
        with contextlib.suppress(UnsealError):
            assert torch.equal(lazy[name], original[name])


def test_the_control_of_the_forgeries_opens(path: Path, classifier: Classifier, identity: Identity, trainer: SigningKey) -> None:
    """Opened and sealed again without any change it still verifies, so it is the change that is refused above."""
    content = decrypt_bytes(path.read_bytes(), identities=[identity])
    path.write_bytes(encrypt_bytes(content, recipients=[identity.recipient]))
    assert unseal(path, identities=[identity], trusted=[trainer.public]).digest == classifier.digest


def test_a_lazy_tensor_that_was_changed_under_its_old_digest_is_refused(path: Path, identity: Identity, trainer: SigningKey) -> None:
    content = bytearray(decrypt_bytes(path.read_bytes(), identities=[identity]))
    content[-1] ^= 1
    path.write_bytes(encrypt_bytes(bytes(content), recipients=[identity.recipient]))
    lazy = open_tensors(path, identities=[identity], trusted=[trainer.public])
    with pytest.raises(UnsealError, match="other numbers than were signed"):
        dict(lazy)
    with pytest.raises(UnsealError, match="other tensors than it states"):
        unseal(path, identities=[identity], trusted=[trainer.public])
