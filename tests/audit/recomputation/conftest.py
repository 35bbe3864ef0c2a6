"""The bundle of an audit with many checks, and a way to forge it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from audit import Policy, Subject, run
from audit.manifests import verify_bundle, write_manifests
from audit.recomputation import Record
from classifier.errors import ConfigurationError

OPTIONS: dict[str, dict[str, Any]] = {
    "data.label_errors": {"resamples": 20},
    "explanation.attribution": {"limit": 20, "background": 5, "samples": 128},
    "fairness.groups": {"resamples": 50},
    "performance.accuracy": {"resamples": 50},
    "performance.learning": {"permutations": 200},
    "robustness.attack": {"limit": 40, "suite": "quick", "eps": (0.05, 0.1)},
    "robustness.backdoor": {"rows": 10, "steps": 20, "rotations": 2},
    "robustness.bounds": {"limit": 20, "exact": 5, "eps": (0.05, 0.1), "nodes": 100, "suite": "quick"},
    "robustness.corruptions": {"limit": 40, "severities": (1, 5), "resamples": 50},
    "robustness.distance": {"limit": 40, "steps": 5, "targets": 1},
    "robustness.feature_costs": {"limit": 20, "values": 8},
    "robustness.out_of_distribution": {"resamples": 50},
    "robustness.smoothing": {"limit": 10, "n": 300, "n0": 30},
    "robustness.transfer": {"limit": 40, "steps": 4, "queries": (10, 20)},
}
POLICY = """
[policy]
id = "test"

[[rule]]
id = "RANKING"
metric = "performance.roc_auc"
min = 0.55
set_by = "Ada"
rationale = "It must rank."

[[rule]]
id = "WORST-GROUP"
metric = "fairness.approval_rate"
where = { attribute = "age_years" }
min = 0.99
set_by = "Ada"
rationale = "All of every group, which no classifier reaches."

[[rule]]
id = "ATTACKED"
metric = "robustness.accuracy"
where = { eps = 0.05, rows = "valid" }
min = 0.01
set_by = "Ada"
rationale = "An upper bound confirms nothing."
on_inconclusive = "fail"

[[rule]]
id = "OPEN"
metric = "performance.brier"
limit = "unset"
set_by = "Ada"
rationale = "To be set."

[[rule]]
id = "ACCEPTED"
metric = "performance.log_loss"
max = 0.0
set_by = "Ada"
rationale = "No loss at all, which somebody does without."

[[waiver]]
rule = "ACCEPTED"
reason = "known"
owner = "Ada"
expires = 2999-12-31
"""


@pytest.fixture(scope="session")
def audited(credit_subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, which nobody changes."""
    folder = tmp_path_factory.mktemp("recomputation") / "bundle"
    folder.mkdir()
    (folder / "policy.toml").write_text(POLICY)
    only = [*OPTIONS, "data.quality", "performance", "privacy.membership"]
    run(credit_subject, Policy.read(folder / "policy.toml"), only=only, options=OPTIONS, progress=False).save(folder)
    (folder / "run.json").write_text('{"started":"2026-06-01T12:00:00+00:00"}\n')
    write_manifests(folder)
    return folder


@pytest.fixture
def forge(audited: Path, tmp_path: Path) -> Callable[[Callable[[dict[str, Any], Path], object]], Record]:
    """Change a copy, and write manifests that hold, as anyone can who has no key."""

    def change(how: Callable[[dict[str, Any], Path], object]) -> Record:
        folder = tmp_path / "forged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(audited, folder)
        content = json.loads((folder / "audit.json").read_text())
        how(content, folder)
        if (folder / "policy.toml").exists() and (folder / "policy.toml").read_text() != POLICY:
            # Who changes the policy states its new digest too; of one that builds on others, or is none, nobody can.
            with suppress(ConfigurationError):
                content["policy"]["sha256"] = Policy.read(folder / "policy.toml").digest
        (folder / "audit.json").write_text(json.dumps(content))
        for evidence in content["evidence"]:
            (folder / "evidence" / f"{evidence['check']}.json").write_text(json.dumps(evidence))
        write_manifests(folder)
        return Record(verify_bundle(folder))

    return change
