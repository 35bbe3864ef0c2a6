"""A sealed classifier opens to the same one, and to nothing else."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from audit.vault import ALLOW_UNSIGNED, Identity, decrypt_bytes, encrypt_bytes, generate_identity, seal, unseal
from classifier import Classifier, Dataset, Schema
from classifier.architectures.mlp import MLP
from classifier.errors import ConfigurationError, ModelError, StorageError, UnsealError
from classifier.records import as_record, canonical_json
from classifier.seeds import Seed


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Dataset.builtin("moons").schema


@pytest.fixture(scope="module")
def classifier(schema: Schema) -> Classifier:
    architecture = MLP(hidden=(16, 8))
    module = architecture.build(schema, 2)
    generator = Seed(0).torch()
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return Classifier.wrap(module, schema=schema, classes=("lower", "upper"), factory=architecture, card={"intended_use": "tests"})


def test_a_sealed_classifier_opens_to_the_same_digest_and_the_same_answers(
    classifier: Classifier, identity: Identity, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors.age"
    seal(classifier, path, recipients=(identity.recipient,))
    opened = unseal(path, identities=(identity,), trusted=ALLOW_UNSIGNED)
    x = Dataset.builtin("moons").inputs
    assert opened.digest == classifier.digest
    assert opened.card == classifier.card
    assert torch.equal(opened.logits(x), classifier.logits(x))
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_sealed_file_shows_nothing_of_the_classifier(classifier: Classifier, identity: Identity, tmp_path: Path) -> None:
    seal(classifier, tmp_path / "model.age", recipients=(identity.recipient,))
    content = (tmp_path / "model.age").read_bytes()
    inside = decrypt_bytes(content, identities=[identity])
    for word in (b"intended_use", b"lower", b"weight", b"mlp", b"sha256"):
        assert word in inside
        assert word not in content
    assert identity.recipient.encode() not in content
    assert classifier.digest.encode() not in content


def test_the_plaintext_never_touches_the_disk(
    classifier: Classifier, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(classifier, tmp_path / "model.age", recipients=(identity.recipient,))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was made")

    for maker in ("mkstemp", "mkdtemp", "TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile"):
        monkeypatch.setattr(tempfile, maker, refuse)
    unseal(tmp_path / "model.age", identities=(identity,), trusted=ALLOW_UNSIGNED)
    assert os.listdir(tmp_path) == ["model.age"]


@pytest.mark.parametrize("trusted", [None, True, "allow unsigned", (), {}])
def test_nothing_is_opened_unless_unsigned_models_are_allowed(identity: Identity, tmp_path: Path, trusted: object) -> None:
    with pytest.raises(ConfigurationError, match=r"trusted must be|nobody is trusted|there is no trust store"):
        unseal(tmp_path / "nothing.age", identities=(identity,), trusted=trusted)  # type: ignore[arg-type]


def test_a_module_of_ones_own_needs_its_factory(schema: Schema, identity: Identity, tmp_path: Path) -> None:
    own = Classifier.wrap(nn.Linear(2, 2), schema=schema, classes=("lower", "upper"))
    seal(own, tmp_path / "own.age", recipients=(identity.recipient,))
    with pytest.raises(UnsealError, match="give the factory"):
        unseal(tmp_path / "own.age", identities=(identity,), trusted=ALLOW_UNSIGNED)
    opened = unseal(tmp_path / "own.age", identities=(identity,), trusted=ALLOW_UNSIGNED, factory=lambda schema, k: nn.Linear(2, k))
    assert opened.digest == own.digest


def test_a_black_box_is_not_sealed_and_the_old_file_stays(schema: Schema, identity: Identity, tmp_path: Path) -> None:
    black_box = Classifier.wrap(lambda x: torch.full((len(x), 2), 0.5), schema=schema, classes=("lower", "upper"))
    (tmp_path / "model.age").write_bytes(b"the old file")
    with pytest.raises(ModelError, match="black box"):
        seal(black_box, tmp_path / "model.age", recipients=(identity.recipient,))
    assert (tmp_path / "model.age").read_bytes() == b"the old file"


def test_another_identity_or_a_changed_file_opens_nothing(classifier: Classifier, identity: Identity, tmp_path: Path) -> None:
    path = tmp_path / "model.age"
    seal(classifier, path, recipients=(identity.recipient,))
    with pytest.raises(UnsealError, match="the sealed file did not open"):
        unseal(path, identities=(generate_identity(),), trusted=ALLOW_UNSIGNED)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnsealError, match="the sealed file did not open"):
        unseal(path, identities=(identity,), trusted=ALLOW_UNSIGNED)
    with pytest.raises(StorageError, match=r"nothing\.age"):
        unseal(tmp_path / "nothing.age", identities=(identity,), trusted=ALLOW_UNSIGNED)


def forged(classifier: Classifier, **changes: object) -> bytes:
    """The weights of `classifier` under another description, as anyone with the recipient can seal it."""
    assert classifier.module is not None
    document = {**as_record(classifier.description), **changes}
    return save(dict(classifier.module.state_dict()), {"assay": canonical_json(document).decode()})


def test_what_is_no_classifier_is_refused_once_it_is_opened(classifier: Classifier, identity: Identity, tmp_path: Path) -> None:
    path = tmp_path / "model.age"
    for content in (b"", b"a table, say", (1 << 62).to_bytes(8, "little") + b"{}", forged(classifier)[:-1]):
        path.write_bytes(encrypt_bytes(content, recipients=(identity.recipient,)))
        with pytest.raises(UnsealError, match="no safetensors file"):
            unseal(path, identities=(identity,), trusted=ALLOW_UNSIGNED)
    for content in (
        save({"weight": torch.zeros(2)}),
        forged(classifier, architecture="no_such"),
        forged(classifier, options={"no_such": 1}),
        forged(classifier, options={"hidden": [16]}),
        forged(classifier, classes=["lower"]),
        forged(classifier, version="two"),
        save({"weight": torch.zeros(2)}, {"assay": "[" * 100_000}),
    ):
        path.write_bytes(encrypt_bytes(content, recipients=(identity.recipient,)))
        with pytest.raises(UnsealError, match="can make no classifier"):
            unseal(path, identities=(identity,), trusted=ALLOW_UNSIGNED)


def test_a_forged_architecture_takes_no_more_memory_than_its_file_has(classifier: Classifier, identity: Identity, tmp_path: Path) -> None:
    path = tmp_path / "model.age"
    path.write_bytes(encrypt_bytes(forged(classifier, options={"hidden": [10**12, 8]}), recipients=(identity.recipient,)))
    with pytest.raises(UnsealError) as caught:
        unseal(path, identities=(identity,), trusted=ALLOW_UNSIGNED)
    assert isinstance(caught.value.__cause__, ModelError)
    assert "do not fit the architecture" in str(caught.value.__cause__)


def test_the_documented_examples_run(classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "vault.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(examples) == 4
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("a,b\n1,2\n3,4\n")
    exec("\n".join(examples), {"classifier": classifier})
    assert (tmp_path / "opened.csv").read_text() == "a,b\n1,2\n3,4\n"
