"""What a command writes, where it refuses to, and what is left when it is stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torch.nn import Linear

from audit.performance.checks.accuracy import Accuracy
from audit.privacy.checks.membership import MembershipInference
from audit.vault import ALLOW_UNSIGNED, read_identities, unseal

Assay = Callable[..., tuple[int, str, str]]

CONFIGURATION = """\
[audit]
name = "small"
[data]
path = "small.csv"
target = "y"
event = "b"
[model]
architecture = "logistic"
[model.training]
epochs = 20
learning_rate = 0.1
[policy]
path = "policy.toml"
"""
POLICY = """\
[policy]
id = "p"
[[rule]]
id = "RANKS"
metric = "performance.roc_auc"
min = 0.5
set_by = "test"
rationale = "test"
"""
TRAINED = 'architecture = "logistic"\n[model.training]\nepochs = 20\nlearning_rate = 0.1'
# The rest of the checks takes seconds and says nothing here.
FEW = ("--skip", "explanation", "--skip", "robustness", "--skip", "performance.learning")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A table of 120 rows with an ``audit.toml`` and a ``policy.toml``."""
    generator = np.random.default_rng(0)
    x = generator.random((120, 2))
    pd.DataFrame(x, columns=["a", "b"]).assign(y=np.where(x[:, 0] > 0.5, "b", "g")).to_csv(tmp_path / "small.csv", index=False)
    (tmp_path / "audit.toml").write_text(CONFIGURATION)
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "audit.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def stop(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def test_a_stopped_audit_goes_on_from_where_it_was_to_the_same_bundle(assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert assay("audit", "--quiet", *FEW, "--output", "expected")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(MembershipInference, "measure", stop)
        code, out, _ = assay("audit", "--quiet", *FEW)
    assert code == 3
    assert "the same command goes on from there" in " ".join(out.split())
    assert not (small / "reports" / "small").exists()
    with monkeypatch.context() as patch:
        patch.setattr(Accuracy, "measure", stop)  # finished already
        assert assay("audit", "--quiet", *FEW)[0] == 0
    record = (small / "reports" / "small" / "audit.json").read_bytes()
    assert record == (small / "expected" / "audit.json").read_bytes()
    assert [path.name for path in (small / "reports").iterdir()] == ["small"]


def test_ctrl_c_during_training_is_unfinished_and_not_a_violated_rule(assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.configuration.train", stop)
    code, _, err = assay("audit", "--quiet")
    assert code == 3
    assert "stopped" in err
    assert not (small / "reports").exists()


@pytest.mark.parametrize("command", [("audit", "--quiet"), ("train", "--quiet")])
def test_a_folder_of_other_files_is_never_replaced(assay: Assay, small: Path, command: tuple[str, ...]) -> None:
    mine = small / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for output in ("mine", "."):
        code, _, err = assay(*command, "--output", output)
        assert code == 2
        assert "holds other files, and would be replaced" in err
        assert "name a new folder with --output" in err
    code, _, err = assay(*command, "--output", "small.csv")
    assert code == 2
    assert "is a file, required is a folder" in err
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert (small / "small.csv").stat().st_size > 0


def test_a_classifier_replaces_an_older_one_and_nothing_else(assay: Assay, small: Path) -> None:
    assert assay("train", "--quiet")[0] == 0
    first = (small / "trained" / "weights.safetensors").read_bytes()
    change(small, "epochs = 20", "epochs = 10")
    assert assay("train", "--quiet")[0] == 0
    assert (small / "trained" / "weights.safetensors").read_bytes() != first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "privcy"), "there is no check 'privcy'"),
        (("--skip", "performance.acuracy"), "did you mean 'performance.accuracy'"),
    ],
)
def test_what_is_asked_wrongly_is_said_before_anything_is_trained(
    assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.setattr("audit.configuration.train", stop)
    code, _, err = assay("audit", "--quiet", *arguments)
    assert code == 2
    assert message in err
    assert not (small / "config").exists()


@pytest.mark.parametrize(
    ("check", "option", "message"),
    [
        ("robustness.attack", "eps = 0.1", "robustness.attack.eps: input should be a valid tuple, got 0.1"),
        ("robustness.attack", 'eps = ["a lot"]', "robustness.attack.eps: input should be a valid number"),
        ("robustness.attack", "eps = [0]", "eps must hold fractions above 0 and at most 1, got [0.0]"),
        ("performance.learning", 'permutations = "many"', "performance.learning.permutations: input should be a valid integer"),
        ("performance.learning", "permutation = 10", "did you mean 'permutations'"),
        ("performance.lerning", "permutations = 10", "did you mean 'performance.learning'"),
    ],
)
@pytest.mark.parametrize("command", ["audit", "check"])
def test_an_option_of_a_check_that_does_not_fit_is_said_before_anything_is_trained(
    assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch, command: str, check: str, option: str, message: str
) -> None:
    monkeypatch.setattr("audit.configuration.train", stop)
    monkeypatch.setattr("audit.preview.train", stop)
    with (small / "audit.toml").open("a") as file:
        file.write(f'[checks."{check}"]\n{option}\n')
    code, _, err = assay(command)
    assert code == 2
    assert message in err


def test_a_policy_of_another_profile_is_said_before_anything_is_trained(assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.configuration.train", stop)
    (small / "policy.toml").write_text(POLICY.replace('id = "p"', 'id = "p"\nprofile = "thorough"'))
    code, _, err = assay("audit", "--quiet")
    assert code == 2
    assert "requires the profile 'thorough', got 'standard'" in err
    assert 'set profile = "thorough" under [audit]' in err


def test_a_network_that_a_factory_makes_is_sealed_too(assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small / "bank_network.py").write_text("from torch import nn\ndef make():\n    return nn.Linear(2, 2)\n")
    monkeypatch.syspath_prepend(str(small))
    change(small, TRAINED, 'python = "bank_network:make"')
    assert assay("audit", "--quiet", *FEW)[0] in (1, 3)
    bundle = small / "reports" / "small"
    identities = read_identities(small / "config" / "assay" / "identity.txt")
    factory = Linear(2, 2)
    opened = unseal(bundle / "model.safetensors.age", identities=identities, trusted=ALLOW_UNSIGNED, factory=lambda *_: factory)
    assert opened.digest == json.loads((bundle / "audit.json").read_text())["identity"]["classifier"]
    assert json.loads((bundle / "run.json").read_text())["seal"]["opened_again"] is False


def test_a_classifier_that_a_factory_makes_keeps_its_own_encoding(assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small / "bank_scores.py").write_text(
        "import torch\nfrom classifier import Classifier, Feature, Schema\n"
        "features = (Feature('a', 'continuous', low=0, high=2), Feature('b', 'continuous', low=-1, high=1))\n"
        "schema = Schema('tabular', features, encoding='natural')\n"
        "def make():\n    return Classifier.wrap(lambda x: (x[:, 0] > 0.5).float(), schema=schema, classes=('g', 'b'))\n"
    )
    monkeypatch.syspath_prepend(str(small))
    change(small, TRAINED, 'python = "bank_scores:make"')
    code, _, _ = assay("audit", "--quiet", "--only", "performance.accuracy")
    assert code == 3  # independence unknown: it cannot pass
    record = json.loads((small / "reports" / "small" / "audit.json").read_text())
    (evidence,) = record["evidence"]
    (accuracy,) = (metric for metric in evidence["metrics"] if metric["name"] == "performance.accuracy")
    # In its own units its rule is the very rule that made the labels; scaled to [0, 1] it would not be.
    assert (accuracy["value"], accuracy["bound"]) == (1.0, "upper")


def test_rows_of_a_classifier_that_was_brought_are_not_said_to_be_new(assay: Assay, small: Path) -> None:
    code, out, _ = assay("explain", "--rows", "0", "--quiet")
    assert code == 0
    assert "Row 0 (perhaps" not in out
    assert assay("train", "--quiet", "--output", "saved")[0] == 0
    change(small, TRAINED, 'path = "saved"')
    code, out, _ = assay("explain", "--rows", "0", "--quiet")
    assert code == 0
    assert "Row 0 (perhaps learned from)" in out


def test_rows_of_a_test_file_of_its_own_are_numbered_in_it(assay: Assay, small: Path) -> None:
    lines = (small / "small.csv").read_text().splitlines()
    (small / "test.csv").write_text("\n".join([lines[0], *lines[81:]]) + "\n")
    (small / "small.csv").write_text("\n".join(lines[:81]) + "\n")
    change(small, 'path = "small.csv"', 'path = "small.csv"\ntest_path = "test.csv"')
    code, out, _ = assay("explain", "--rows", "0", "--quiet")
    assert code == 0
    assert "Row 0 (not learned from)" in out
    first = lines[81].split(",")
    assert f"a = {float(first[0]):.4g}" in out
    code, _, err = assay("explain", "--rows", "40", "--quiet")
    assert code == 2
    assert "rows are numbered from 0 to 39" in err


@pytest.mark.parametrize("rows", ["", "a", "1.5", "0,,1"])
def test_row_numbers_that_are_none_are_refused(assay: Assay, small: Path, rows: str) -> None:
    code, _, err = assay("explain", f"--rows={rows}", "--quiet")
    assert code == 2
    assert f"--rows must hold numbers separated by commas, got {rows!r}" in err


def test_a_command_or_an_option_that_does_not_exist_is_a_usage_error(assay: Assay, small: Path) -> None:
    assert assay("audti")[0] == 2
    assert assay("audit", "--quite")[0] == 2
    assert assay("init")[0] == 2


def test_a_fault_of_assay_is_an_internal_error_and_says_so(assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("audit.configuration.train", broken)
    code, _, err = assay("audit", "--quiet")
    assert code == 5
    assert "RuntimeError: a fault" in err
    assert "this is a fault of Assay" in err
