"""What ``audit.toml`` names may be sealed: the same data are read, by whom it says, and the record gives nothing of them away."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from audit.configuration import Configuration
from audit.preview import preview_configuration
from audit.single import SingleRows
from audit.vault import Identity, default_identity, encrypt_bytes, encrypt_file, generate_identity
from audit.vault.reading import opening
from classifier import Dataset
from classifier.builtin import GERMAN_CREDIT
from classifier.dataset import Splits
from classifier.errors import ConfigurationError, DataError, UnsealError
from classifier.opening import opening_with

TOML = """
[audit]
name = "credit"
[data]
path = "credit.csv.age"
target = "credit_risk"
event = "bad"
[model]
architecture = "mlp"
[model.training]
epochs = 1
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration folder of the test's own, without an identity in it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture
def identity() -> Identity:
    """Whom the data are sealed to."""
    return generate_identity()


@pytest.fixture
def configured(tmp_path: Path, identity: Identity) -> Callable[..., Path]:
    """Write an ``audit.toml`` beside a sealed table, and give its path."""

    def write(more: str = "") -> Path:
        encrypt_file(GERMAN_CREDIT, tmp_path / "credit.csv.age", recipients=[identity.recipient])
        (tmp_path / "audit.toml").write_text(TOML + more)
        return tmp_path / "audit.toml"

    return write


def read(path: Path, identities: list[Identity], passphrase: str | None = None) -> Splits:
    configuration = Configuration.read(path)
    with opening_with(configuration.seal.opener(path.parent, identities, passphrase)):
        return configuration.read_splits(path.parent)


def test_a_sealed_table_gives_the_splits_of_the_plain_one(configured: Callable[..., Path], identity: Identity) -> None:
    path = configured()
    splits = read(path, [identity])
    known = Dataset.read(GERMAN_CREDIT, target="credit_risk", event="bad").split()
    for part in ("train", "validation", "test"):
        mine, other = getattr(splits, part), getattr(known, part)
        assert mine.inputs.equal(other.inputs)
        assert mine.ids.tolist() == other.ids.tolist()
        assert mine.digest != other.digest
    sealed = hashlib.sha256(path.with_name("credit.csv.age").read_bytes()).hexdigest()
    assert splits.test.source == {"name": "credit.csv.age", "sha256": sealed}


def test_the_identity_is_the_one_given_or_that_of_the_configuration_or_ones_own(
    configured: Callable[..., Path], tmp_path: Path, identity: Identity
) -> None:
    with pytest.raises(ConfigurationError, match=r"the data are sealed, and there is no identity in .*identity\.txt; give --identity-file"):
        read(configured(), [])
    default_identity()
    with pytest.raises(UnsealError, match=r"^credit\.csv\.age: the sealed file did not open"):
        read(configured(), [])
    (tmp_path / "key.txt").write_text(identity.reveal())
    assert len(read(configured('[seal]\nidentity_file = "key.txt"\n'), []).test) == 250
    (tmp_path / "key.txt").write_text(generate_identity().reveal())
    assert len(read(configured('[seal]\nidentity_file = "key.txt"\n'), [identity]).test) == 250


def test_an_identity_file_may_be_sealed_under_a_passphrase(
    configured: Callable[..., Path], tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.vault.age.scrypt.WRITTEN", 10)  # cheap to guess, and quick
    (tmp_path / "key.age").write_bytes(encrypt_bytes(identity.reveal().encode(), passphrase="open sesame"))
    path = configured('[seal]\nidentity_file = "key.age"\n')
    assert len(read(path, [], "open sesame").test) == 250
    with pytest.raises(UnsealError, match=r"key\.age did not open; check its passphrase"):
        read(path, [], "open says me")


def test_plain_data_need_no_identity(configured: Callable[..., Path], tmp_path: Path) -> None:
    path = configured('[seal]\nidentity_file = "nowhere.txt"\n')
    pd.read_csv(GERMAN_CREDIT).to_csv(tmp_path / "credit.csv", index=False)
    path.write_text(path.read_text().replace(".csv.age", ".csv"))
    assert len(read(path, []).test) == 250


def test_of_several_files_the_one_that_did_not_open_is_named(configured: Callable[..., Path], tmp_path: Path, identity: Identity) -> None:
    path = configured()
    path.write_text(path.read_text().replace('path = "credit.csv.age"', 'path = "credit.csv.age"\ntest_path = "test.csv.age"'))
    encrypt_file(GERMAN_CREDIT, tmp_path / "test.csv.age", recipients=[generate_identity().recipient])
    with pytest.raises(UnsealError, match=r"^test\.csv\.age: the sealed file did not open"):
        read(path, [identity])
    encrypt_file(GERMAN_CREDIT, tmp_path / "test.csv.age", recipients=[identity.recipient])
    assert len(read(path, [identity]).test) == 1000


def test_a_sealed_training_table_and_a_plain_test_table_are_read_together(
    configured: Callable[..., Path], tmp_path: Path, identity: Identity
) -> None:
    path = configured()
    path.write_text(path.read_text().replace('path = "credit.csv.age"', 'path = "credit.csv.age"\ntest_path = "test.csv"'))
    (tmp_path / "test.csv").write_bytes(GERMAN_CREDIT.read_bytes())
    splits = read(path, [identity])
    assert splits.train.secret is not None
    assert splits.test.secret is None
    assert Dataset.joined([splits.test, splits.train]).secret == splits.train.secret


def test_a_preview_and_single_rows_open_sealed_data(configured: Callable[..., Path], identity: Identity) -> None:
    path = configured()
    assert "Data: credit.csv.age\n  1000 rows read" in preview_configuration(path, identities=[identity])
    assert SingleRows.read(path, [7], identities=[identity]).rows == (7,)


def test_predictions_beside_sealed_data_are_read_from_the_sealed_table(tmp_path: Path, identity: Identity) -> None:
    table = pd.DataFrame({"risk": [0.1, 0.9, 0.2, 0.8] * 10, "label": ["no", "yes"] * 20, "bad": range(40)})
    (tmp_path / "p.csv").write_text(table.to_csv(index=False))
    encrypt_file(tmp_path / "p.csv", tmp_path / "p.csv.age", recipients=[identity.recipient])
    text = '[audit]\nname = "p"\n[data]\npath = "p.csv.age"\ntarget = "label"\nevent = "yes"\ndrop = ["bad"]\n'
    (tmp_path / "audit.toml").write_text(text + '[model]\npredictions = "p.csv.age"\ncolumns = { yes = "risk" }\n')
    configuration = Configuration.read(tmp_path / "audit.toml")
    with opening(identities=[identity]):
        splits = configuration.read_splits(tmp_path)
        subject = configuration.subject(splits, None, tmp_path)
    assert subject.predictions is not None
    assert subject.predictions[:, 1].tolist() == table["risk"].tolist()
    with pytest.raises(DataError, match="is sealed, and no identity is at hand"):
        configuration.subject(splits, None, tmp_path)
