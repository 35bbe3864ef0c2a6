"""Policies: each verdict where it belongs, and errors with file, line and the nearest key."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest

from audit import Evidence, Finding, Policy
from audit.configuration import Configuration
from classifier.errors import ConfigurationError
from classifier.metric import Metric
from classifier.statistics import proportion

TODAY = datetime.date(2026, 6, 1)


def policy(limit: str, extra: str = "", tail: str = "") -> Policy:
    from audit.toml_files import parse_toml

    text = f'[policy]\nid = "p"\n[[rule]]\nid = "R"\nmetric = "m"\n{limit}\nset_by = "s"\nrationale = "r"\n{extra}\n{tail}'
    return parse_toml(Policy, text, "policy.toml")


def judge(limit: str, *metrics: Metric, extra: str = "", tail: str = "") -> Finding:
    (finding,) = policy(limit, extra, tail).judge([Evidence("c", metrics=metrics)], today=TODAY)
    return finding


def metric(low: float, high: float, bound: str = "estimate", **where: str) -> Metric:
    return Metric("m", (low + high) / 2, low, high, 100, bound=bound, where=where)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limit", "low", "high", "bound", "verdict", "reason"),
    [
        ("min = 0.5", 0.6, 0.8, "estimate", "pass", "holds"),
        ("min = 0.6", 0.6, 0.8, "estimate", "pass", "holds"),
        ("min = 0.7", 0.6, 0.8, "estimate", "inconclusive", "undecided"),
        ("min = 0.8", 0.6, 0.8, "estimate", "inconclusive", "undecided"),
        ("min = 0.9", 0.6, 0.8, "estimate", "fail", "broken"),
        ("max = 0.9", 0.6, 0.8, "estimate", "pass", "holds"),
        ("max = 0.7", 0.6, 0.8, "estimate", "inconclusive", "undecided"),
        ("max = 0.5", 0.6, 0.8, "estimate", "fail", "broken"),
        ("min = 0.5", 0.6, 0.8, "upper", "inconclusive", "not_refuted"),
        ("min = 0.9", 0.6, 0.8, "upper", "fail", "broken"),
        ("max = 0.9", 0.6, 0.8, "upper", "pass", "holds"),
        ("max = 0.9", 0.6, 0.8, "lower", "inconclusive", "not_refuted"),
        ("max = 0.5", 0.6, 0.8, "lower", "fail", "broken"),
        ("min = 0.5", 0.6, 0.8, "lower", "pass", "holds"),
        ("min = 0.9", 0.6, 0.8, "lower", "inconclusive", "undecided"),
        ("min = 0.7", 0.6, 0.8, "lower", "inconclusive", "undecided"),
        ("max = 0.5", 0.6, 0.8, "upper", "inconclusive", "undecided"),
        ("max = 0.7", 0.6, 0.8, "upper", "inconclusive", "undecided"),
        ('limit = "unset"', 0.6, 0.8, "estimate", "not_run", "unset"),
    ],
)
def test_a_rule_is_judged_on_the_bound_of_the_interval(limit: str, low: float, high: float, bound: str, verdict: str, reason: str) -> None:
    finding = judge(limit, metric(low, high, bound))
    assert (finding.verdict, finding.reason) == (verdict, reason)
    assert finding.violated == (verdict == "fail")


def test_a_metric_without_a_value_and_a_metric_that_is_absent_are_not_run() -> None:
    assert judge("min = 0", Metric.missing("m", "too few")).reason == "unmeasured"
    assert judge("min = 0").reason == "no_measurement"
    assert judge("min = 0", metric(1, 2), extra='where = { group = "a" }').reason == "no_measurement"


@pytest.mark.parametrize(("asked", "found"), [("1", "1"), ('"0.5"', "0.5"), ("1", '"1"')])
def test_a_group_that_looks_like_a_number_is_found_however_it_is_written(asked: str, found: str) -> None:
    assert judge("min = 0.5", metric(0.6, 0.8, group=found.strip('"')), extra=f"where = {{ group = {asked} }}").verdict == "pass"
    assert judge("min = 0.5", metric(0.6, 0.8, group="2"), extra=f"where = {{ group = {asked} }}").reason == "no_measurement"


def test_of_several_measurements_the_worst_decides() -> None:
    finding = judge("min = 0.5", metric(0.8, 0.9, group="a"), metric(0.1, 0.2, group="b"), metric(0.2, 0.4, group="c"))
    assert finding.verdict == "fail"
    assert finding.metric is not None
    assert finding.metric.where == {"group": "b"}
    assert judge("min = 0.5", metric(0.8, 0.9), Metric.missing("m", "too few")).verdict == "not_run"


def test_an_inconclusive_rule_that_must_not_be_counts_as_violated() -> None:
    assert not judge("min = 0.7", metric(0.6, 0.8)).violated
    assert judge("min = 0.7", metric(0.6, 0.8), extra='on_inconclusive = "fail"').violated


@pytest.mark.parametrize(("expires", "counts"), [("2026-06-01", True), ("2026-05-31", False)])
def test_a_waiver_counts_until_its_last_day_and_the_fail_stays_visible(expires: str, counts: bool) -> None:
    waiver = f'[[waiver]]\nrule = "R"\nreason = "because"\nowner = "Ann"\nexpires = {expires}'
    finding = judge("min = 0.9", metric(0.6, 0.8), tail=waiver)
    assert finding.verdict == "fail"
    assert finding.violated
    assert (finding.waived_by is not None) == counts


def test_the_number_of_samples_that_would_decide_decides() -> None:
    hits = np.arange(100) < 60
    finding = judge("min = 0.55", Metric(**{**vars(proportion("m", hits)), "name": "m"}))
    assert finding.verdict == "inconclusive"
    needed = finding.samples_needed
    assert needed is not None
    assert proportion("m", np.arange(needed + 40) < 0.6 * (needed + 40)).low > 0.55  # type: ignore[operator]
    assert proportion("m", np.arange(needed // 2) < 0.6 * (needed // 2)).low < 0.55  # type: ignore[operator]


def test_a_rule_about_a_metric_that_no_check_gives_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'mm'"):
        policy("min = 0").check_metrics(["mm", "performance.roc_auc"])


HEAD = '[policy]\nid = "p"\n'
RULE = '[[rule]]\nid = "A"\nmetric = "m"\nset_by = "s"\nrationale = "r"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{HEAD}{RULE}min = 0\n{RULE}max = 0\nmetrc = "m"\n', r"line 15: unknown key 'rule\.1\.metrc'; did you mean 'metric'"),
        (f"{HEAD}{RULE}", "line 3: .* needs one of min, max and limit"),
        (f"{HEAD}{RULE}min = 0\nmax = 1\n", "needs one of min, max and limit"),
        (f'{HEAD}profil = "quick"\n{RULE}min = 0\n', r"line 3: unknown key 'policy\.profil'; did you mean 'profile'"),
        (f'{HEAD}{RULE}min = 0\ncontrols = ["gdpr:22.3", "gdpr:22.3"]\n', "controls names a clause twice"),
        (f'{HEAD}{RULE}min = "much"\n', r"line 8: 'rule\.0\.min' .* got 'much'"),
        ("[policy\n", "is not TOML"),
    ],
)
def test_a_policy_that_does_not_fit_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        Policy.read(path)


def test_an_unknown_key_of_audit_toml_is_refused_with_file_line_and_nearest_key(tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    path.write_text(
        '[audit]\nname = "a"\n\n[data]\npath = "x.csv"\ntarget = "y"\n\n[model]\narchitecture = "mlp"\n[model.training]\nepoch = 3\n'
    )
    with pytest.raises(ConfigurationError, match=r"audit\.toml, line 11: unknown key 'model\.training\.epoch'; did you mean 'epochs'"):
        Configuration.read(path)


def test_a_waiver_of_no_rule_and_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'R'"):
        policy("min = 0", tail='[[waiver]]\nrule = "RR"\nreason = "b"\nowner = "A"\nexpires = 2026-01-01')
    with pytest.raises(ConfigurationError, match="two rules are called 'R'"):
        policy("min = 0", tail='[[rule]]\nid = "R"\nmetric = "m"\nmin = 0\nset_by = "s"\nrationale = "r"')


@pytest.mark.parametrize(("limit", "bound"), [("min = 0.9", "lower"), ("max = 0.5", "upper"), ("min = 0.5", "upper")])
def test_what_a_bound_leaves_open_no_number_of_samples_settles(limit: str, bound: str) -> None:
    finding = judge(limit, metric(0.6, 0.8, bound))
    assert finding.verdict == "inconclusive"
    assert finding.samples_needed is None


def test_a_policy_that_requires_another_profile_is_refused_with_what_to_set() -> None:
    from audit.toml_files import parse_toml

    strict = parse_toml(Policy, f'{HEAD}profile = "thorough"\n{RULE}min = 0\n', "policy.toml")
    strict.check_profile("thorough")
    with pytest.raises(ConfigurationError, match="requires the profile 'thorough', got 'quick'; set profile"):
        strict.check_profile("quick")
