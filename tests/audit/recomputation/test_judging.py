"""Every verdict follows from the policy and the metrics, or is named with what they give."""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit import Policy
from audit.attestation import read_audited
from audit.evidence import Evidence
from audit.manifests import verify_bundle
from audit.recomputation import Record, judge_again, outcome
from audit.recomputation.judging import _verdict
from classifier.errors import IntegrityError
from classifier.metric import Metric
from classifier.records import as_record

Forge = Callable[[Callable[[dict[str, Any], Path], object]], Record]


def finding(content: dict[str, Any], rule: str) -> dict[str, Any]:
    (found,) = (one for one in content["findings"] if one["rule"] == rule)
    return found


def set_finding(rule: str, **changes: Any) -> Callable[[dict[str, Any], Path], None]:
    return lambda content, folder: finding(content, rule).update(changes)


def set_policy(old: str, new: str) -> Callable[[dict[str, Any], Path], object]:
    def change(content: dict[str, Any], folder: Path) -> None:
        text = (folder / "policy.toml").read_text()
        assert old in text
        (folder / "policy.toml").write_text(text.replace(old, new))

    return change


def test_the_verdicts_of_an_audit_follow(audited: Path) -> None:
    record = Record(verify_bundle(audited))
    found = judge_again(record)
    assert (found.findings, found.by_policy, found.by_limit, found.differing) == (5, 5, 0, ())
    assert {one["rule"]: one["verdict"] for one in record.findings} == {
        "RANKING": "pass", "WORST-GROUP": "fail", "ATTACKED": "inconclusive", "OPEN": "not_run", "ACCEPTED": "fail",
    }  # fmt: skip
    signed = read_audited(audited)
    assert (
        outcome(record)
        == (signed.passed, signed.warned, signed.failed)
        == (("RANKING",), ("OPEN", "ACCEPTED"), ("WORST-GROUP", "ATTACKED"))
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (set_finding("WORST-GROUP", verdict="pass"), "WORST-GROUP: the verdict is stored as 'pass', and the policy and the"),
        (set_finding("ATTACKED", violated=False), "ATTACKED: violated is stored as False, and the verdict is 'inconclusive'"),
        (set_finding("RANKING", limit=0.5), "RANKING: the limit is stored as min 0.5, and the policy says min 0.55"),
        (set_finding("RANKING", sense="max"), "RANKING: the limit is stored as max 0.55"),
        (set_finding("RANKING", severity="low"), "RANKING: severity is stored as 'low', and the policy says"),
        (set_finding("RANKING", set_by="Bob"), "RANKING: set_by is stored as 'Bob', and the policy says 'Ada'"),
        (set_finding("WORST-GROUP", waived_by="Ada, 2999-12-31: known"), "WORST-GROUP: it is stored as waived by"),
        (set_finding("ACCEPTED", waived_by=None), "ACCEPTED: it is stored as not waived, and the policy waives it"),
        (set_policy("min = 0.55", "min = 0.99"), "RANKING: the limit is stored as min 0.55, and the policy says min 0.99"),
        (set_policy("2999-12-31", "2026-01-31"), "ACCEPTED: it is stored as waived by 'Ada, 2999-12-31: known', and no waiver"),
        (lambda content, folder: content["findings"].pop(0), "RANKING: the policy has that rule, and the record no finding"),
    ],
)  # fmt: skip
def test_a_verdict_a_limit_or_a_waiver_that_does_not_follow_is_named(
    forge: Forge, change: Callable[[dict[str, Any], Path], object], told: str
) -> None:
    def mark(content: dict[str, Any], folder: Path) -> None:
        set_policy('id = "RANKING"', 'id = "RANKING"\nseverity = "high"')(content, folder)
        finding(content, "RANKING")["severity"] = "high"
        change(content, folder)

    differing = judge_again(forge(mark)).differing
    assert [line for line in differing if line.startswith(told)], differing


def test_a_better_group_does_not_stand_for_the_worst(forge: Forge) -> None:
    def change(content: dict[str, Any], folder: Path) -> None:
        one = finding(content, "WORST-GROUP")
        one["metric"] = {**one["metric"], "low": 0.99, "value": 1.0, "high": 1.0}

    assert judge_again(forge(change)).differing == ("WORST-GROUP: another measurement decides than the one that is stored",)


def test_a_rule_that_stands_in_no_file_is_judged_by_the_limit_that_is_told(forge: Forge) -> None:
    def inherit(content: dict[str, Any], folder: Path) -> None:
        text = (folder / "policy.toml").read_text()
        rest = text[text.index('[[rule]]\nid = "WORST-GROUP"') :]
        (folder / "policy.toml").write_text('[policy]\nid = "test"\nextends = "base.toml"\n' + rest)

    found = judge_again(forge(inherit))
    assert (found.by_policy, found.by_limit, found.differing) == (4, 1, ())

    def forged(content: dict[str, Any], folder: Path) -> None:
        inherit(content, folder)
        finding(content, "RANKING").update(verdict="fail", violated=True)

    assert judge_again(forge(forged)).differing == ("RANKING: the verdict is stored as 'fail', and the policy and the metrics give 'pass'",)

    def invented(content: dict[str, Any], folder: Path) -> None:
        inherit(content, folder)
        one = finding(content, "RANKING")
        one["metric"] = {**one["metric"], "low": 0.99, "high": 0.999}

    assert judge_again(forge(invented)).differing == ("RANKING: it is judged by a measurement that the record does not hold",)


@pytest.mark.parametrize(
    ("declared", "verdict", "follows"),
    [
        ({"developer": "Ada", "validator": "Bob"}, "pass", True),
        ({"developer": "Ada", "validator": "Bob"}, "fail", True),  # one key may have signed for both
        ({"developer": "Ada", "validator": " ada "}, "pass", False),
        ({"developer": "Ada", "validator": "Ada"}, "fail", True),
        ({"developer": "Ada"}, "not_run", True),
        ({"developer": "Ada"}, "pass", False),
        ({}, "pass", False),
    ],
)
def test_independence_follows_from_what_is_declared(forge: Forge, declared: dict[str, str], verdict: str, follows: bool) -> None:
    def change(content: dict[str, Any], folder: Path) -> None:
        content["identity"]["declarations"] = declared
        set_policy('id = "test"', 'id = "test"\nrequires_independence = true')(content, folder)
        one = {
            **content["findings"][0],
            "rule": "INDEPENDENCE",
            "sense": "independent",
            "metric": None,
            "verdict": verdict,
            "violated": verdict == "fail",
        }
        content["findings"].append(one)

    assert (judge_again(forge(change)).differing == ()) == follows


def test_a_policy_that_is_none_is_an_integrity_failure(forge: Forge) -> None:
    for content in ("x", "[[rule]]\nmetric = 1\n", '[[rule]]\nid = "A"\n[[waiver]]\nowner = "B"\n', "rule = 3\n"):
        record = forge(lambda _, folder, content=content: (folder / "policy.toml").write_text(content))  # type: ignore[misc]
        with pytest.raises(IntegrityError, match=r"policy\.toml is no policy"):
            judge_again(record)


def test_a_verdict_is_that_of_the_policy_for_every_interval_bound_and_sense() -> None:
    ends = [(0.2, 0.4), (0.4, 0.6), (0.5, 0.5), (0.6, 0.8)]
    cases = itertools.product(ends, ("estimate", "lower", "upper"), ("", "gradients vanish"), ("min", "max"))
    for (low, high), bound, unreliable, sense in cases:
        metric = Metric("performance.brier", (low + high) / 2, low, high, 9, bound=bound, unreliable=unreliable)  # type: ignore[arg-type]
        policy = Policy.model_validate(
            {"policy": {"id": "p"}, "rule": ({"id": "R", "metric": metric.name, sense: 0.5, "set_by": "A", "rationale": "B"},)}
        )
        (told,) = policy.judge([Evidence("performance.accuracy", metrics=(metric,))], today=datetime.date(2026, 1, 1))
        assert _verdict(sense, 0.5, json.loads(json.dumps(as_record(metric)))) == told.verdict, (metric, sense)
