"""A classifier that is brought sealed is opened on the word of those whom the audit trusts, and the record says whose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit import Audit
from audit.pipeline import audit_configuration
from audit.preview import preview_configuration
from audit.vault import Identity, SigningKey, TrustStore, generate_identity, generate_signing_key, seal
from classifier import Dataset
from classifier.errors import AssayError, ConfigurationError, UnsealError
from trainer import Recipe, train

SETTINGS = """
[audit]
name = "moons"
[data]
path = "data.csv"
target = "label"
test_path = "data.csv"
[model]
path = "moons.safetensors.age"
[seal]
recipients = ["{recipient}"]
"""
ONLY = ["performance.accuracy"]
ME = generate_identity()


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return generate_signing_key()


@pytest.fixture
def configuration(key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    data = Dataset.builtin("moons")
    frame = data.schema.decode(data.inputs)
    frame["label"] = [data.classes[label] for label in data.labels]
    frame.to_csv(tmp_path / "data.csv", index=False)
    again = Dataset.read(tmp_path / "data.csv", target="label")
    classifier = train(again, Recipe("logistic", epochs=2), progress=False)
    seal(classifier, tmp_path / "moons.safetensors.age", recipients=[ME.recipient], signers=[key], version=2)
    path = tmp_path / "audit.toml"
    path.write_text(SETTINGS.format(recipient=ME.recipient))
    return path


def audited(path: Path, identity: Identity = ME) -> Audit:
    return audit_configuration(path, output=path.parent / "bundle", only=ONLY, progress=False, identities=[identity]).audit


def stated(path: Path, trust: str) -> Path:
    path.write_text(path.read_text() + trust)
    return path


def test_a_signed_model_is_audited_and_the_record_tells_on_whose_word(configuration: Path, key: SigningKey) -> None:
    (configuration.parent / "trust.toml").write_text(f'[[signer]]\nname = "team"\npublic = "{key.public}"\nroles = ["trainer"]\n')
    path = stated(configuration, '[trust]\npath = "trust.toml"\nmodel = "moons"\n')
    assert "can be run" in preview_configuration(path, identities=[ME])
    audit = audited(path)
    assert audit["performance.accuracy"].not_run is None
    trust = audit.trust
    assert trust["store"] == TrustStore.read(configuration.parent / "trust.toml").digest
    assert (trust["model"], trust["version"]) == ("moons", 2)
    assert [(said["role"], said["signer"]) for said in trust["statements"]] == [("trainer", "team")]
    assert json.loads((configuration.parent / "bundle" / "audit.json").read_text())["trust"] == trust
    assert Audit.load(configuration.parent / "bundle").trust == trust


@pytest.mark.parametrize(
    ("trust", "error"),
    [
        ("", ConfigurationError),
        (f'[trust]\nsigners = ["{generate_signing_key().public}"]\n', UnsealError),
        ('[trust]\npath = "absent.toml"\n', ConfigurationError),
        ("[trust]\nallow_unsigned = true\nsigners = ['x']\n", ConfigurationError),
    ],
    ids=["nobody", "another", "absent", "both"],
)
def test_a_model_is_not_opened_unless_its_signer_is_trusted(configuration: Path, trust: str, error: type[AssayError]) -> None:
    path = stated(configuration, trust)
    for run in (lambda: audited(path), lambda: preview_configuration(path, identities=[ME])):
        with pytest.raises(error):
            run()
    assert not (configuration.parent / "bundle").exists()


def test_another_model_of_the_same_signer_is_refused(configuration: Path, key: SigningKey) -> None:
    with pytest.raises(UnsealError, match="expected is 'credit'"):
        audited(stated(configuration, f'[trust]\nsigners = ["{key.public}"]\nmodel = "credit"\n'))


def test_a_model_that_is_opened_unsigned_says_so_in_the_record(configuration: Path) -> None:
    assert audited(stated(configuration, "[trust]\nallow_unsigned = true\n")).trust == {"store": None}


def test_another_identity_does_not_open_the_model(configuration: Path) -> None:
    with pytest.raises(UnsealError):
        audited(stated(configuration, "[trust]\nallow_unsigned = true\n"), generate_identity())
