"""The command line: bad input gets a clear error and loses nothing; good input leaves a bundle that verifies."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from audit.bundle import verify_bundle
from audit.configuration import Configuration
from trainer import train

Assay = Callable[..., tuple[int, str, str]]

CHECKS = (
    (Path(__file__).parent / "quick-checks.toml").read_text()
    + """
[checks."explanation.attribution"]
limit = 10
background = 4
samples = 64
[checks."robustness.attack"]
limit = 20
suite = "quick"
eps = [0.05, 0.1]
[checks."performance.learning"]
permutations = 300
"""
)
POLICY = """
[policy]
id = "p"
[[rule]]
id = "RANKS"
metric = "performance.roc_auc"
min = 0.5
set_by = "test"
rationale = "test"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A table of 240 rows, an ``audit.toml`` and a ``policy.toml`` in `tmp_path`."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"income": generator.normal(50, 10, 240).round(1), "months": generator.integers(6, 60, 240)})
    frame["home"] = generator.choice(["rent", "own", "free"], 240)
    frame["sex"] = generator.choice(["f", "m"], 240)
    frame["default"] = np.where(frame["income"] + generator.normal(0, 8, 240) < 48, "yes", "no")
    frame.to_csv(tmp_path / "loans.csv", index=False)
    (tmp_path / "policy.toml").write_text(POLICY)
    write(tmp_path)
    return tmp_path


DATA = 'path = "loans.csv"\ntarget = "default"\nevent = "yes"'
MODEL = 'architecture = "mlp"\nhidden = [8]\n[model.training]\nepochs = 20\nlearning_rate = 0.05'


def write(folder: Path, *, data: str = DATA, model: str = MODEL, more: str = "") -> None:
    text = f'[audit]\nname = "loans"\n[data]\n{data}\nprotected = ["sex"]\n[model]\n{model}\n'
    (folder / "audit.toml").write_text(f'{text}{CHECKS}\n{more}\n[policy]\npath = "policy.toml"\n')


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_help_loads_no_heavy_package_and_every_command_shows_an_example() -> None:
    code = "import sys, assay.__main__; print(sorted({'torch', 'captum', 'shap', 'matplotlib', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


FIRST = ("init", "check", "train", "explain", "audit", "verify", "selftest", "doctor")
VAULT = ("keygen", "seal", "unseal", "rewrap", "sign", "inspect", "scan", "deidentify")


@pytest.mark.parametrize("command", [*FIRST, *VAULT])
def test_every_command_has_an_example_in_its_help(assay: Assay, command: str) -> None:
    code, out, _ = assay(command, "--help")
    assert code == 0
    assert f"Example: assay {command}" in " ".join(out.split())


def test_an_audit_leaves_a_bundle_that_verifies_and_a_second_run_gives_the_same_record(assay: Assay, project: Path) -> None:
    code, out, _ = assay("audit", "audit.toml", "--quiet")
    assert code == 0
    assert "reports/loans/report.en.html" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    bundle = project / "reports" / "loans"
    verify_bundle(bundle)
    assert oct((project / "config" / "assay" / "identity.txt").stat().st_mode & 0o777) == "0o600"
    assert json.loads((bundle / "run.json").read_text())["seal"]["opened_again"] is True
    first = (bundle / "audit.json").read_bytes()
    code, out, _ = assay("audit", "audit.toml", "--quiet", "--json")
    assert out.encode() == first
    assert [path.name for path in (project / "reports").iterdir()] == ["loans"]
    assert assay("verify", "reports/loans")[0] == 0
    (bundle / "report.en.html").write_text("changed")
    code, _, err = assay("verify", "reports/loans")
    assert code == 4
    assert "report.en.html was changed" in err


def frame_with(project: Path, **columns: object) -> None:
    pd.read_csv(project / "loans.csv").assign(**columns).to_csv(project / "loans.csv", index=False)  # type: ignore[arg-type]


def free_text(project: Path) -> None:
    frame_with(project, note=[f"the customer said {i} things" for i in range(240)])


def not_finite(project: Path) -> None:
    frame_with(project, debt=[1.5] * 100 + [np.inf] + list(range(139)))


def one_class(project: Path) -> None:
    frame_with(project, default="no")
    write(project, data='path = "loans.csv"\ntarget = "default"')


def small_group(project: Path) -> None:
    frame_with(project, sex=["x"] * 4 + ["m"] * 236)


def absent_class(project: Path) -> None:
    frame_with(project, default=["rare"] + ["no"] * 120 + ["yes"] * 119)


BAD = [
    (lambda p: write(p, data='path = "loan.csv"\ntarget = "default"'), r"there is no file .*loan\.csv", "did you mean 'loans.csv'?"),
    (lambda p: write(p, data='path = "loans.csv"\ntarget = "defualt"'), "no column 'defualt'", "did you mean 'default'?"),
    (one_class, "one class only", "check that the file is whole"),
    (lambda p: write(p, data='path = "loans.csv"\ntarget = "income"'), "continuous value", "cut the target into classes"),
    (free_text, "free text", 'put "note" under drop'),
    (not_finite, "non-finite value inf in row 100", "correct it"),
    (absent_class, "class 'rare' does not occur in the", "larger parts"),
    (small_group, "group 'x' of the protected attribute 'sex' has 4 rows, required are 10", "merge it"),
    (lambda p: write(p, more="[decison]"), "unknown key 'decison'", "did you mean 'decision'?"),
    (lambda p: write(p, model='python = "wrong_outputs:make"'), "answers 2 inputs with shape (2, 3), required is (2, 2)", "name as many"),
    (lambda p: write(p, more='[checks."robustness.atack"]'), "no check 'robustness.atack'", "did you mean 'robustness.attack'?"),
]


@pytest.mark.parametrize(("spoil", "problem", "remedy"), BAD)
def test_bad_input_gets_a_clear_error_and_the_bundle_stays(
    assay: Assay, project: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None], problem: str, remedy: str
) -> None:
    (project / "wrong_outputs.py").write_text("from torch import nn\ndef make():\n    return nn.Linear(5, 3)\n")
    monkeypatch.syspath_prepend(str(project))
    bundle = project / "reports" / "loans"
    bundle.mkdir(parents=True)
    (bundle / "audit.json").write_text("the older one")
    before = snapshot(project / "reports")
    spoil(project)
    code, _, err = assay("audit", "audit.toml", "--quiet")
    assert code == 2
    assert problem.replace(".*", "").replace("\\", "").split("there is no file ")[-1] in err
    assert remedy in err
    assert snapshot(project / "reports") == before


@pytest.mark.slow
def test_a_full_disk_leaves_the_older_bundle_as_it_was(assay: Assay, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = project / "reports" / "loans"
    assert assay("audit", "audit.toml", "--quiet")[0] == 0
    before = snapshot(bundle)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = assay("audit", "audit.toml", "--quiet")
    assert code == 2
    assert "No space left on device" in err
    assert "free some space" in err
    assert snapshot(bundle) == before


def test_with_ci_set_no_key_is_made_and_recipients_are_asked_for(assay: Assay, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    code, _, err = assay("audit", "audit.toml", "--quiet")
    assert code == 2
    assert "[seal] recipients" in err
    assert not (project / "config" / "assay").exists()


def test_a_classifier_that_is_brought_without_test_data_cannot_pass_a_performance_rule(assay: Assay, project: Path) -> None:
    settings = Configuration.read(project / "audit.toml")
    settings.classifier(settings.read_splits(project), project, progress=False).save(project / "saved")
    write(project, model='path = "saved"')
    code, out, _ = assay("audit", "audit.toml", "--quiet")
    assert code == 3
    assert "Inconclusive  RANKS" in out
    record = json.loads((project / "reports" / "loans" / "audit.json").read_text())
    assert record["identity"]["independence"] == "unknown"


def test_a_scikit_learn_pipeline_by_factory_is_audited_as_a_black_box(assay: Assay, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "bank.py").write_text(
        "import pandas as pd\nfrom sklearn.compose import make_column_transformer\nfrom sklearn.linear_model import LogisticRegression\n"
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import OneHotEncoder\n"
        "def make():\n    frame = pd.read_csv('loans.csv')\n"
        "    steps = make_column_transformer((OneHotEncoder(), ['home']), remainder='passthrough')\n"
        "    return make_pipeline(steps, LogisticRegression(max_iter=1000)).fit(frame[['income', 'months', 'home']], frame['default'])\n"
    )
    monkeypatch.syspath_prepend(str(project))
    write(project, model='python = "bank:make"')
    code, out, _ = assay("audit", "audit.toml", "--quiet")
    assert code == 3
    assert "the classifier is a black box" in " ".join(out.split())
    assert not (project / "reports" / "loans" / "model.safetensors.age").exists()


def test_init_writes_files_that_run_unchanged_on_a_table_that_nobody_tuned_for(assay: Assay, tmp_path: Path) -> None:
    load_breast_cancer(as_frame=True).frame.to_csv(tmp_path / "cells.csv", index=False)
    code, out, _ = assay("init", "cells.csv", "--target", "target")
    assert code == 0
    assert "wrote audit.toml" in out
    code, _, err = assay("init", "cells.csv", "--target", "target")
    assert code == 2
    assert "audit.toml exists" in err
    code, out, _ = assay("check", "audit.toml")
    assert code == 0
    assert "569 rows read" in out
    code, out, _ = assay("audit", "audit.toml", "--quiet", "--skip", "explanation", "--skip", "robustness")
    assert "Pass          LEARNED" in out


def test_init_leaves_out_what_is_no_input_and_says_why(assay: Assay, project: Path) -> None:
    frame_with(project, id=range(240), note=[f"text number {i}" for i in range(240)], day=[f"2024-01-{1 + i % 28:02d}" for i in range(240)])
    frame_with(project, day=pd.date_range("2020-01-01", periods=240).strftime("%Y-%m-%d"))
    assert assay("init", "loans.csv", "--target", "default", "--output", "new")[0] == 0
    settings = Configuration.read(project / "new" / "audit.toml")
    assert settings.data.drop == ("id", "note", "day")
    assert settings.data.protected == ("sex",)
    assert settings.data.event == "no" or settings.data.event == "yes"
    assert len(settings.read_splits(project / "new").train) == 144


def test_train_prints_the_loss_as_it_falls_and_saves_pictures(assay: Assay, project: Path) -> None:
    code, out, _ = assay("train", "audit.toml", "--output", "saved")
    assert code == 0
    assert "epoch 1 of 20: training loss" in out
    assert sorted(path.name for path in (project / "saved").iterdir()) == ["classifier.json", "loss.png", "weights.safetensors"]


def test_train_draws_the_curves_of_an_additive_model(assay: Assay, project: Path) -> None:
    write(project, model='architecture = "additive"\n[model.options]\npairs = [["income", "home"]]\n[model.training]\nepochs = 2')
    code, out, _ = assay("train", "audit.toml", "--output", "saved", "--quiet")
    assert code == 0
    assert "drew saved/curves.png" in out
    assert (project / "saved" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_explain_tells_why_single_rows_were_decided_so(assay: Assay, project: Path) -> None:
    (project / "wording.toml").write_text('[zh-CN.names]\nyes = "违约"\n', encoding="utf-8")
    code, out, _ = assay(
        "explain", "audit.toml", "--rows", "0,7", "--output", "why", "--language", "en,zh-CN", "--wording", "wording.toml", "--quiet"
    )
    assert code == 0
    assert out.count("exact_shapley, log-odds of ") == 2
    made = sorted(path.name for path in (project / "why").iterdir())
    assert made == [f"row-{row}.{kind}" for row in (0, 7) for kind in ("en.html", "png", "zh-CN.html")]
    pages = [(project / "why" / f"row-{row}.zh-CN.html").read_text(encoding="utf-8") for row in (0, 7)]
    assert any("违约" in page for page in pages)
    code, _, err = assay("explain", "audit.toml", "--rows", "0", "--language", "fr", "--quiet")
    assert code == 2
    assert "there are no sheets in the language 'fr'" in err
    code, _, err = assay("explain", "audit.toml", "--rows", "999", "--quiet")
    assert code == 2
    assert "there is no row 999" in err


def test_selftest_holds_and_doctor_shows_no_secret(assay: Assay) -> None:
    code, out, _ = assay("selftest")
    assert code == 0
    assert "FAILED" not in out
    code, out, _ = assay("doctor")
    assert code == 0
    assert "torch 2." in out
    assert "SECRET" not in out


@pytest.mark.slow
def test_a_classifier_of_random_labels_is_told_to_have_learned_nothing() -> None:
    from audit import Policy, Subject, run

    folder = Path(__file__).parents[2] / "examples" / "moons" / "random-labels"
    settings = Configuration.read(folder / "audit.toml")
    splits = settings.read_splits(folder)
    recipe = settings.recipe()
    assert recipe is not None
    classifier = train(splits, recipe, progress=False)
    # It knows its training rows by heart, and nothing else.
    assert (classifier.predict(splits.train.inputs) == splits.train.labels).float().mean() > 0.85
    subject = Subject(splits.test, classifier=classifier, training=splits.train, independence="held out")
    audit = run(subject, Policy.read(folder / "../policy.toml"), only=["performance.learning", "data"], progress=False)
    assert {finding.rule: finding.verdict for finding in audit.findings}["LEARNED"] == "fail"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_behind_standard_output_is_no_fault_of_the_program() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "assay", "doctor"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr
