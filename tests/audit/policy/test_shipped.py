"""The policies that come with Assay: each reads, and a limit stands only where it can be defended without knowing the case."""

from __future__ import annotations

import datetime
import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from audit import Evidence
from audit.check import metric_names
from audit.controls import control_ids
from audit.policy import Policy, shipped_policies
from audit.policy.schema import SCHEMA, policy_schema, write_policy_schema
from audit.policy.shipped import shipped_path
from audit.policy.writing import policy_text
from audit.toml_files import parse_toml
from classifier.errors import ConfigurationError
from classifier.metric import Metric

# What needs no case to be defended, and what is known as a convention.
HARD = {"data.duplicates_across_splits", "performance.learned_p_value", "performance.gain_over_majority", "supply_chain.findings"}
CONVENTIONS = {"fairness.selection_ratio"}
NAMES = ("baseline", "cn-personal-information", "e-commerce", "education", "high-risk-credit", "medical-diagnosis")


def test_these_policies_are_shipped() -> None:
    assert shipped_policies() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_policy_reads_and_every_metric_and_clause_exists(name: str) -> None:
    policy = Policy.shipped(name)
    assert policy.policy.id == name
    policy.check_metrics(metric_names())
    policy.check_controls(control_ids())
    assert all(rule.hazard and rule.controls for rule in policy.rule)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_limit_is_defensible_or_a_warning_that_names_its_convention(name: str) -> None:
    for rule in Policy.shipped(name).rule:
        if rule.limit != "unset":
            assert rule.metric in HARD | CONVENTIONS
            if rule.metric in CONVENTIONS:
                assert (rule.severity, rule.on_inconclusive) == ("low", "warn")
                assert "convention" in rule.rationale
        else:
            assert "owner" in rule.set_by


@pytest.mark.parametrize("name", [name for name in NAMES if name != "baseline"])
def test_every_policy_keeps_the_hard_limits_of_the_baseline(name: str) -> None:
    hard = {rule.id: rule for rule in Policy.shipped("baseline").rule if rule.metric in HARD}
    assert len(hard) == len(HARD)
    assert hard.items() <= {rule.id: rule for rule in Policy.shipped(name).rule}.items()


def test_a_classifier_that_always_guesses_the_commonest_class_is_not_better_than_guessing() -> None:
    constant = Metric("performance.gain_over_majority", 0.0, 0.0, 0.0, 250)
    findings = Policy.shipped("baseline").judge([Evidence("performance.learning", (constant,))], today=datetime.date(2026, 1, 1))
    (finding,) = [finding for finding in findings if finding.rule == "PERF-BETTER-THAN-GUESSING"]
    assert (finding.verdict, finding.violated) == ("fail", True)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="no policy 'high-risk-credits' comes with Assay; did you mean 'high-risk-credit'"):
        Policy.shipped("high-risk-credits")


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_written_out_is_whole_and_keeps_its_digest(name: str) -> None:
    policy = Policy.shipped(name)
    again = parse_toml(Policy, policy_text(policy), "policy.toml")
    assert again == policy
    assert again.digest == policy.digest


def test_what_a_rule_says_survives_writing_whatever_its_characters() -> None:
    rule = {
        "id": "R",
        "metric": "m",
        "min": 1e-07,
        "set_by": 'a "b" \\ c',
        "rationale": "line\nnext\t\x7f 王",
        "where": {"ä b": 0.5, "k": 3},
    }
    waiver = {"rule": "R", "reason": "'''", "owner": "o", "expires": "2027-01-31"}
    policy = Policy.model_validate({"policy": {"id": "p", "requires_independence": True}, "rule": [rule], "waiver": [waiver]})
    assert parse_toml(Policy, policy_text(policy), "policy.toml") == policy


def test_the_published_schema_is_the_one_that_is_read_by() -> None:
    assert SCHEMA.read_bytes() == policy_schema(), "stale: run python -m audit.policy.schema"


def test_the_schema_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "policy.schema.json"
    write_policy_schema(path)
    assert path.read_bytes() == policy_schema()


@pytest.mark.parametrize("name", NAMES)
def test_shipped_policies_fit_the_schema(name: str) -> None:
    Draft202012Validator(json.loads(SCHEMA.read_bytes())).validate(tomllib.loads(shipped_path(name).read_text()))


RULE = {"id": "R", "metric": "m", "set_by": "s", "rationale": "r"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"min": 0, "max": 1},
        {"min": 0, "metrc": "m"},
        {"limit": "none"},
        {"min": "much"},
        {"min": 0, "severity": "grave"},
        {"min": 0, "id": ""},
        {"min": 0, "controls": ["gdpr:22.3", "gdpr:22.3"]},
    ],
)
def test_the_schema_refuses_what_reading_refuses(change: dict[str, object]) -> None:
    validator = Draft202012Validator(json.loads(SCHEMA.read_bytes()))
    content = {"policy": {"id": "p"}, "rule": [{**RULE, "min": 0}]}
    validator.validate(content)
    bad = {"policy": {"id": "p"}, "rule": [{**RULE, **change}]}
    with pytest.raises(ValidationError):
        validator.validate(bad)
    with pytest.raises(ValueError, match="validation error"):
        Policy.model_validate(bad)
