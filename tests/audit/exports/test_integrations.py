"""What a pipeline includes: the files parse, ask the command line for options that it has, and act on its exit codes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from assay.__main__ import app
from audit.exports import choose_formats
from audit.exports.gate import SEVERITIES

ROOT = Path(__file__).parents[3]
ACTION = ROOT / "integrations" / "github" / "action.yml"
WORKFLOW = ROOT / ".github" / "workflows" / "audit.yml"
GITLAB = ROOT / "integrations" / "gitlab" / "assay.gitlab-ci.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
PAGE = ROOT / "docs" / "pipelines.md"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def step(name: str) -> dict[str, Any]:
    (found,) = [step for step in read(ACTION)["runs"]["steps"] if name in (step.get("name"), step.get("id"))]
    return dict(found)


def commands() -> list[str]:
    """Every command of ours that a pipeline runs, in scripts, in hooks and on the page about them."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ACTION, WORKFLOW, GITLAB, HOOKS, PAGE))
    return re.findall(r"^\s*(?:- |entry: sh -c 'for file; do |run: )?(assay [a-z]+\b.*)$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("command", commands())
def test_every_option_that_a_pipeline_asks_for_is_one_of_the_command_line(command: str) -> None:
    name = command.split()[1]
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert name in known
    options = {option for parameter in known[name].params for option in parameter.opts}
    assert set(re.findall(r"(?<!\S)--[a-z-]+", command)) <= options


def test_the_pipelines_run_the_audit_and_the_hook_looks_at_it_first() -> None:
    named = [command.split()[1] for command in commands()]
    assert named.count("audit") >= 2
    assert "check" in named


@pytest.mark.parametrize("path", [ACTION, GITLAB])
def test_the_formats_and_the_severity_asked_for_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    (formats,) = re.findall(r"--format (\S+)", text)
    assert choose_formats([formats]) == ("junit", "sarif")
    default = read(ACTION)["inputs"]["fail-on"]["default"] if path == ACTION else read(GITLAB)[".assay-audit"]["variables"]["ASSAY_FAIL_ON"]
    assert default in SEVERITIES


def test_no_input_becomes_part_of_a_script() -> None:
    for one in read(ACTION)["runs"]["steps"]:
        assert "${{" not in one.get("run", "")


def test_every_input_is_used_and_every_one_used_is_declared() -> None:
    text = ACTION.read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(read(ACTION)["inputs"])


def test_the_example_asks_the_action_for_inputs_that_it_has() -> None:
    (used,) = [step["with"] for step in read(WORKFLOW)["jobs"]["audit"]["steps"] if step.get("uses") == "./integrations/github"]
    assert set(used) <= set(read(ACTION)["inputs"])


def test_the_hook_is_told_by_an_audit_and_by_a_policy_and_by_nothing_else() -> None:
    (hook,) = read(HOOKS)
    matched = [re.search(hook["files"], path) is not None for path in ("audit.toml", "a/policy.toml", "myaudit.toml", "audit.toml.md")]
    assert matched == [True, True, False, False]


def test_gitlab_takes_missing_evidence_for_a_warning_and_shows_the_tests_of_a_failed_job() -> None:
    job = read(GITLAB)[".assay-audit"]
    assert job["allow_failure"] == {"exit_codes": [3]}
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["reports"]["junit"] == "$ASSAY_BUNDLE/exports/junit.xml"


def test_gitlab_installs_nothing_whose_source_is_not_named(tmp_path: Path) -> None:
    job = read(GITLAB)[".assay-audit"]
    assert "ASSAY_SOURCE" not in job["variables"]
    (install,) = job["before_script"]
    (tmp_path / "python").write_text('#!/bin/sh\necho "$@" > called\n', encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    refused = bash(install, tmp_path, PATH=path)
    assert refused.returncode != 0
    assert "ASSAY_SOURCE: set it to what pip installs Assay from" in refused.stderr
    assert not (tmp_path / "called").exists()
    assert bash(install, tmp_path, PATH=path, ASSAY_SOURCE="here").returncode == 0
    assert (tmp_path / "called").read_text(encoding="utf-8") == "-m pip install here\n"


@pytest.mark.skipif(shutil.which("sh") is None, reason="the hook runs in sh")
@pytest.mark.parametrize(("fails", "asked"), [("none", ["a b/audit.toml", "./audit.toml"]), ("a b", ["a b/audit.toml"])])
def test_the_hook_checks_the_audit_beside_each_file_that_changed_and_stops_at_the_first_refusal(
    tmp_path: Path, fails: str, asked: list[str]
) -> None:
    (tmp_path / "assay").write_text(f'#!/bin/sh\necho "$@" >> called\ncase "$2" in "{fails}"/*) exit 2;; esac\n', encoding="utf-8")
    (tmp_path / "assay").chmod(0o755)
    (hook,) = read(HOOKS)
    command = [*shlex.split(hook["entry"]), "a b/policy.toml", "audit.toml"]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, check=False)
    assert ended.returncode == (2 if fails != "none" else 0)
    assert (tmp_path / "called").read_text(encoding="utf-8").splitlines() == [f"check {path}" for path in asked]


def bash(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GITHUB_OUTPUT": str(folder / "output"), "RUNNER_TEMP": str(folder), **variables}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="the action runs in bash")
@pytest.mark.parametrize(
    ("code", "inconclusive", "ends"),
    [("0", "fail", 0), ("1", "warn", 1), ("2", "warn", 2), ("3", "fail", 3), ("3", "warn", 0), ("4", "warn", 4), ("5", "warn", 5)],
)
def test_the_action_ends_as_the_audit_did_but_for_missing_evidence_if_asked(
    tmp_path: Path, code: str, inconclusive: str, ends: int
) -> None:
    ended = bash(step("Verdict")["run"], tmp_path, CODE=code, INCONCLUSIVE=inconclusive)
    assert ended.returncode == ends
    assert ("::warning::" in ended.stdout) == (code == "3" and inconclusive == "warn")


@pytest.mark.skipif(shutil.which("bash") is None, reason="the action runs in bash")
def test_the_action_keeps_the_exit_code_of_a_failed_audit_for_later(tmp_path: Path) -> None:
    (tmp_path / "assay").write_text('#!/bin/sh\necho "$@" > called\nexit 1\n', encoding="utf-8")
    (tmp_path / "assay").chmod(0o755)
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CONFIGURATION": "my case/audit.toml", "BUNDLE": "out", "FAIL_ON": "high"}
    ended = bash(step("audit")["run"], tmp_path, **variables)
    assert ended.returncode == 0
    assert (tmp_path / "output").read_text(encoding="utf-8") == "exit-code=1\n"
    called = (tmp_path / "called").read_text(encoding="utf-8")
    assert called == "audit my case/audit.toml --output out --format junit,sarif --fail-on high --quiet\n"


@pytest.mark.skipif(shutil.which("jq") is None, reason="the action filters with jq")
def test_code_scanning_is_sent_what_is_violated_undecided_or_not_measured_only(tmp_path: Path) -> None:
    kinds = ["pass", "fail", "review", "open"]
    exports = tmp_path / "out" / "exports"
    exports.mkdir(parents=True)
    (exports / "results.sarif").write_text(json.dumps({"runs": [{"results": [{"kind": kind} for kind in kinds]}]}), encoding="utf-8")
    ended = bash(step("sarif")["run"], tmp_path, BUNDLE="out")
    assert ended.returncode == 0, ended.stderr
    sent = json.loads((tmp_path / "assay.sarif").read_text(encoding="utf-8"))
    assert [result["kind"] for result in sent["runs"][0]["results"]] == ["fail", "review", "open"]
    assert (tmp_path / "output").read_text(encoding="utf-8") == f"file={tmp_path}/assay.sarif\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="the action runs in bash")
def test_an_audit_that_left_nothing_sends_nothing(tmp_path: Path) -> None:
    assert bash(step("sarif")["run"], tmp_path, BUNDLE="out").returncode == 0
    assert not (tmp_path / "output").exists()
