"""The wheel installs, with its declared dependencies and no extra, into an environment that has nothing, and audits there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_audits_in_a_clean_environment(tmp_path: Path) -> None:
    def call(*command: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in codes, done.stderr
        return done.stdout

    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTHONPATH", "VIRTUAL_ENV")}
    environment["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    # A copy, so that building leaves nothing in the tree.
    call("git", "clone", "--quiet", str(ROOT), "source")
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), "./source")
    call(sys.executable, "-m", "venv", "clean")
    pip = (str(tmp_path / "clean" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"))
    call(*pip, "torch==2.13.0")
    call(*pip, *map(str, tmp_path.glob("assay-*.whl")))
    assay = str(tmp_path / "clean" / "bin" / "assay")
    assert "FAILED" not in call(assay, "selftest")
    call(assay, "init", "source/classifier/builtin/german-credit.csv", "--target", "credit_risk")
    call(assay, "audit", "--quiet", codes=(0, 1, 3))
    assert (tmp_path / "reports" / "german-credit" / "report.en.html").exists()
    assert "as the audit left them" in call(assay, "verify", "reports/german-credit")
