"""The laws of the house: what every file and every registered item must keep, unasked."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cases import cases

from audit import Subject, run
from audit.check import check_type
from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.method import ATTACKS
from audit.robustness.texts.edit import EDITS
from audit.robustness.texts.rewriting import REWRITINGS
from classifier.architecture import ARCHITECTURES
from classifier.modality import MODALITIES
from explain.figures import FIGURES
from explain.method import METHODS
from trainer import Recipe, train

ROOT = Path(__file__).parents[2]
PACKAGES = ("classifier", "trainer", "explain", "audit", "assay")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
REGISTRIES = (ARCHITECTURES, MODALITIES, METHODS, FIGURES, ATTACKS, EDITS, REWRITINGS, *CORRUPTIONS.values())
QUICK = {
    "explanation.attribution": {"limit": 5, "background": 3, "samples": 64},
    "robustness.attack": {"limit": 10, "suite": "quick", "eps": (0.1,)},
    "robustness.distance": {"limit": 10, "steps": 2, "targets": 2, "queries": 30},
    "robustness.transfer": {"limit": 20, "steps": 4, "queries": (8,)},
    "robustness.backdoor": {"rows": 6, "steps": 5, "rotations": 2, "limit": 40},
    "robustness.out_of_distribution": {"resamples": 20},
    "data.label_errors": {"resamples": 20},
    "robustness.text_edits": {"limit": 4, "queries": 20, "tries": 1},
    "robustness.invariance": {"count": 2},
    "robustness.bounds": {"limit": 4, "exact": 2, "eps": (0.05,), "nodes": 20},
    "robustness.smoothing": {"limit": 3, "n": 60, "n0": 10, "sigma": (0.25,)},
    "robustness.corruptions": {"limit": 10, "severities": (3,), "resamples": 20},
    "robustness.feature_costs": {"limit": 10, "values": 8},
    "performance.learning": {"permutations": 50},
    "performance.accuracy": {"resamples": 20},
    "fairness.groups": {"resamples": 20},
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_says_what_it_is_and_holds_one_idea(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "it needs a docstring of one line"
    assert len(text.splitlines()) <= 340, "it holds more than one idea"
    named = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert path.stem not in named, "no function bears the name of its module"


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.noun)
def test_every_registered_item_is_found_and_says_what_it_does(registry: object) -> None:
    for identifier in registry:  # type: ignore[attr-defined]
        assert inspect.getdoc(registry[identifier]), identifier  # type: ignore[index]


def test_every_public_name_says_what_it_is() -> None:
    rooms = ("vault", "robustness", "privacy", "report", "deidentification", "data.personal_identifiers", "supply_chain", "comparison")
    parts = ("backdoors", "certificates", "corruptions", "out_of_distribution", "texts")
    rooms = (*rooms, *(f"robustness.{part}" for part in parts))
    for package in ("classifier", "trainer", "explain", "audit", *(f"audit.{room}" for room in rooms)):
        module = importlib.import_module(package)
        for name in module.__all__:
            item = getattr(module, name)
            assert not callable(item) or inspect.getdoc(item), f"{package}.{name}"


def test_a_check_gives_the_metrics_that_it_names_and_no_others(credit_metrics: dict[str, set[str]]) -> None:
    for identifier, given in credit_metrics.items():
        assert given <= set(check_type(identifier).metrics), identifier


@pytest.fixture(scope="module")
def credit_metrics() -> dict[str, set[str]]:
    splits = cases("tabular", 2, 40).split()
    recipe = Recipe("mlp", hidden=(8,), epochs=3)
    classifier = train(splits, recipe, progress=False)
    subject = Subject(splits.test, classifier=classifier, training=splits.train, validation=splits.validation, recipe=recipe)
    audit = run(subject, options=QUICK, progress=False)
    return {evidence.check: {metric.name for metric in evidence.metrics} for evidence in audit.evidence}


@pytest.mark.slow
def test_the_wheel_holds_all_that_an_audit_needs(tmp_path: Path) -> None:
    """Built from a copy of the tree, unpacked away from it, and tried with nothing of the tree on the path."""
    source = tmp_path / "source"
    source.mkdir()
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, source / name)  # type: ignore[operator]
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--disable-pip-version-check", "--wheel-dir", str(tmp_path), "."]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("assay-*.whl")
    site = tmp_path / "site"
    shutil.unpack_archive(wheel, site, "zip")
    program = (
        f"import sys; sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]; sys.path.insert(0, {str(site)!r}); "
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]; "
        "import assay, classifier; assert assay.__file__.startswith(sys.path[0]), assay.__file__; "
        "from assay.__main__ import main; sys.argv = ['assay', *sys.argv[1:]]; main()"
    )
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config"), "PYTHONPATH": ""}
    environment.pop("CI", None)
    data = site / "classifier" / "builtin" / "german-credit.csv"

    def assay(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    assert assay("init", str(data), "--target", "credit_risk").returncode == 0
    done = assay("audit", "--quiet", "--skip", "explanation", "--skip", "fairness", "--skip", "robustness")
    assert done.returncode in (1, 3), done.stderr
    assert (tmp_path / "reports" / "german-credit" / "report.en.html").exists()
