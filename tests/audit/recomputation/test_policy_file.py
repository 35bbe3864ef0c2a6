"""The digest of a policy follows from its file, and a record that states another, or names no policy, is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit import Audit, Policy
from audit.manifests import verify_bundle, write_manifests
from audit.policy.shipped import shipped_policies
from audit.policy.writing import policy_text
from audit.recomputation import Record, judge_again
from audit.recomputation.policy_file import read_policy

Forge = Callable[[Callable[[dict[str, Any], Path], object]], Record]
EVERYTHING = """
[policy]
id = "all \\u0001 \\" 信用"
profile = "quick"
requires_independence = true

[[rule]]
id = "A"
metric = "performance.brier"
where = { eps = 0.00002, n = 3, group = "under 26" }
max = %s
set_by = "Ada"
rationale = "Why."
severity = "low"
on_inconclusive = "fail"
controls = ["eu-ai-act:15.1"]
hazard = "H1"
requirement = "R1"

[[waiver]]
rule = "A"
owner = "Ada"
reason = "known"
expires = 2999-12-31
"""


def read(forge: Forge, text: str) -> str:
    policy = read_policy(forge(lambda content, folder: (folder / "policy.toml").write_text(text)))
    assert policy is not None
    return policy.digest


@pytest.mark.parametrize("limit", ["1", "0.05", "-0.00002", "1e-7", "1.25e-12", "1e16", "-0.0", "123456789.125", "1e300"])
def test_the_digest_is_that_of_the_policy_for_every_field_and_number(forge: Forge, tmp_path: Path, limit: str) -> None:
    (tmp_path / "policy.toml").write_text(EVERYTHING % limit)
    assert read(forge, EVERYTHING % limit) == Policy.read(tmp_path / "policy.toml").digest


@pytest.mark.parametrize("name", sorted(shipped_policies()))
def test_the_digest_is_that_of_each_policy_that_comes_with_it(forge: Forge, name: str) -> None:
    policy = Policy.shipped(name)
    assert read(forge, policy_text(policy)) == policy.digest


def test_a_policy_that_was_changed_afterwards_is_told(forge: Forge) -> None:
    record = forge(lambda content, folder: content["policy"].update(sha256="0" * 64))
    assert [line.split(" is stored")[0] for line in judge_again(record).differing] == ["the digest of the policy"]


def test_a_record_that_was_judged_by_a_policy_needs_it(forge: Forge) -> None:
    record = forge(lambda content, folder: (folder / "policy.toml").unlink())
    assert "policy.toml is not in the bundle, and the record was judged by one" in judge_again(record).differing


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: f[0].update(sense="independent", rule="MINE"), "MINE: the record has a finding, and the policy no such rule"),
        (lambda f: f.append({**f[0], "rule": "INDEPENDENCE", "sense": "independent", "metric": None}), "does not ask for independence"),
        (lambda f: f.append(f[0]), "RANKING: the record has 2 findings of that rule"),
        (lambda f: f[0].update(metric=None), "RANKING: the verdict is stored as 'pass', without the measurement"),
        (lambda f: f[1].update(sense="independent", verdict="pass", violated=False), "WORST-GROUP: the verdict is stored as 'pass', and"),
    ],
)  # fmt: skip
def test_a_finding_that_no_rule_stands_behind_is_told(forge: Forge, change: Callable[[list[dict[str, Any]]], object], told: str) -> None:
    found = judge_again(forge(lambda content, folder: change(content["findings"])))
    assert any(told in line for line in found.differing), found.differing
    assert found.by_policy <= found.findings
    assert json.dumps(found.differing)


def test_an_audit_that_is_saved_with_its_policy_is_judged_again_and_one_without_is_not(audited: Path, tmp_path: Path) -> None:
    audit, policy = Audit.load(audited), Policy.read(audited / "policy.toml")
    for name, given in (("with", policy), ("without", None)):
        audit.save(tmp_path / name, policy=given)
        (tmp_path / name / "run.json").write_bytes((audited / "run.json").read_bytes())
        write_manifests(tmp_path / name)
    assert judge_again(Record(verify_bundle(tmp_path / "with"))).differing == ()
    assert "policy.toml" in str(judge_again(Record(verify_bundle(tmp_path / "without"))).differing)
