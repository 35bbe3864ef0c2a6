"""What so many rows can decide, foretold: it must agree with how a rule is judged afterwards."""

from __future__ import annotations

import datetime
import re
from dataclasses import replace

import numpy as np
import pytest

from audit import Evidence, Policy, Subject, run
from audit.check import Check, make_check
from audit.policy.measured_places import WHERE
from audit.preview_policy import COUNTED, SHARES, policy_lines
from classifier.statistics import clopper_pearson, proportion

CHECKS = [
    make_check(check, {})
    for check in (
        "performance.accuracy",
        "performance.decision",
        "performance.learning",
        "fairness.groups",
        "data.quality",
        "privacy.membership",
    )
]
TODAY = datetime.date(2026, 6, 1)
# Metrics that have Wilson's or the exact interval though more than a count of rows goes into them, or whose rows nobody knows before.
OTHER = {
    "performance.learned_p_value",
    "robustness.ood_fpr_at_95_tpr",
    "robustness.ood_kept",
    "robustness.single_feature_share",
    "robustness.smoothed_abstentions",
    "robustness.surrogate_fidelity",
    "robustness.trigger_p_value",
    "robustness.trigger_success",
    "robustness.negation_unchanged",
    "robustness.invariance",
}


def policy(*limits: str, metric: str = "performance.accuracy", where: str = "", extra: str = "") -> Policy:
    from audit.toml_files import parse_toml

    rules = "".join(
        f'[[rule]]\nid = "R{place}"\nmetric = "{metric}"\n{limit}\nset_by = "s"\nrationale = "r"\n{where}\n'
        for place, limit in enumerate(limits)
    )
    return parse_toml(Policy, f'[policy]\nid = "p"\n{extra}\n{rules}', "policy.toml")


def foretold(rules: Policy, subject: Subject, checks: list[Check] = CHECKS, refused: dict[str, str] | None = None) -> str:
    return " ".join(" ".join(policy_lines(rules, subject, checks, refused or {}, today=TODAY)).split())


@pytest.mark.parametrize("limit", ["min = 0.7", "max = 0.2", "min = 0.05", "max = 0.98"])
def test_the_shares_that_are_foretold_are_those_at_which_the_verdict_turns(credit_subject: Subject, limit: str) -> None:
    rules, n = policy(limit), len(credit_subject.test)
    said = foretold(rules, credit_subject)

    def verdict(hits: int) -> str:
        metric = proportion("performance.accuracy", np.arange(n) < hits)
        return rules.judge([Evidence("c", metrics=(metric,))], today=datetime.date(2026, 1, 1))[0].verdict

    verdicts = [verdict(hits) for hits in range(n + 1)]
    shares = {"holds": [k for k, v in enumerate(verdicts) if v == "pass"], "broken": [k for k, v in enumerate(verdicts) if v == "fail"]}
    least = limit.startswith("min")
    for word, counts in shares.items():
        found = re.search(rf"{word} (?:from|up to) ([\d.]+) %", said)
        assert found is not None
        assert float(found[1]) == pytest.approx(100 * (counts[0] if (word == "holds") == least else counts[-1]) / n, abs=0.05)


def test_a_limit_that_no_result_could_reach_is_told(credit_subject: Subject) -> None:
    n = len(credit_subject.test)
    assert proportion("m", np.ones(n, dtype=bool)).low < 0.999  # type: ignore[operator]
    assert "so few rows cannot show that it holds" in foretold(policy("min = 0.999"), credit_subject)
    assert "so few rows cannot show that it is broken" in foretold(policy("min = 0.001"), credit_subject)
    few = replace(credit_subject, test=credit_subject.test[:1], _memory={})
    assert "of 1 rows: so few rows cannot decide it" in foretold(policy("min = 0.5"), few)


def test_an_upper_bound_never_shows_that_a_minimum_holds_nor_a_lower_one_that_it_is_broken(credit_subject: Subject) -> None:
    checks = [make_check("robustness.attack", {"limit": 100}), make_check("robustness.bounds", {"limit": 50})]
    attacked = foretold(policy("min = 0.5", metric="robustness.accuracy"), credit_subject, checks)
    assert "of at most 100 rows: is broken up to" in attacked
    assert "upper bounds cannot show that it holds" in attacked
    proven = foretold(policy("min = 0.5", metric="robustness.certified_accuracy"), credit_subject, checks)
    assert "of at most 50 rows: holds from" in proven
    assert "lower bounds cannot show that it is broken" in proven


def test_rows_that_may_have_been_learned_from_never_show_that_a_rule_holds(credit_subject: Subject) -> None:
    unknown = replace(credit_subject, independence="unknown", _memory={})
    assert "upper bounds cannot show that it holds" in foretold(policy("min = 0.7"), unknown)
    granted = foretold(policy("max = 0.9", metric="performance.approval_rate"), unknown)
    assert "holds up to" in granted
    assert "is broken from" in granted


@pytest.mark.parametrize("limit", ["min = 0.5", "max = 0.5"])
def test_a_rule_about_every_group_holds_from_the_smallest_and_is_broken_from_the_largest(credit_subject: Subject, limit: str) -> None:
    both = foretold(policy(limit, metric="fairness.accuracy"), credit_subject)
    assert "of groups of 37 to 963 rows" in both
    where = 'where = {{ attribute = "foreign_worker", group = "{}" }}'
    small, large = (
        foretold(policy(limit, metric="fairness.accuracy", where=where.format(group)), credit_subject) for group in ("yes", "no")
    )
    for word, alone in (("holds", small), ("is broken", large)):
        (told,) = re.findall(rf"{word} (?:from|up to) [\d.]+ %", alone)
        assert told in both


def test_a_small_group_that_can_never_keep_a_rule_keeps_every_group_from_showing_it(credit_subject: Subject) -> None:
    assert proportion("m", np.ones(37, dtype=bool)).low < 0.95 < proportion("m", np.ones(963, dtype=bool)).low  # type: ignore[operator]
    said = foretold(policy("min = 0.95", metric="fairness.accuracy"), credit_subject)
    assert "so few rows cannot show that it holds" in said


def test_a_rule_about_one_group_is_decided_by_its_rows(credit_subject: Subject) -> None:
    one = foretold(
        policy("min = 0.5", metric="fairness.accuracy", where='where = { attribute = "foreign_worker", group = "no" }'), credit_subject
    )
    assert "of 963 rows" in one


def test_an_exact_answer_is_foretold_of_the_rows_that_are_sought(credit_subject: Subject) -> None:
    checks = [make_check("robustness.bounds", {"limit": 50, "exact": 10})]
    assert "of at most 10 rows" in foretold(policy("min = 0.2", metric="robustness.exact_accuracy"), credit_subject, checks)
    assert "of at most 50 rows" in foretold(policy("min = 0.2", metric="robustness.certified_accuracy"), credit_subject, checks)


@pytest.mark.parametrize(("expires", "told"), [("2026-05-31", True), ("2026-06-01", False)])
def test_a_waiver_that_has_ended_is_named(credit_subject: Subject, expires: str, told: bool) -> None:
    waived = f'[[waiver]]\nrule = "R0"\nreason = "r"\nowner = "Ann"\nexpires = {expires}'
    said = foretold(policy("min = 0.5", where=waived), credit_subject)
    assert ("the waiver of R0 by Ann ended on 2026-05-31: it does not count" in said) == told


def test_what_is_counted_is_decided_and_a_p_value_needs_permutations(credit_subject: Subject) -> None:
    assert "is decided, since it is counted" in foretold(policy("max = 0", metric="data.duplicates_across_splits"), credit_subject)
    learning = [make_check("performance.learning", {"permutations": 100})]
    strict = foretold(policy("max = 0.01", metric="performance.learned_p_value"), credit_subject, learning)
    assert "can never hold, since of 100 permutations" in strict
    assert f"{clopper_pearson(0, 100)[1]:.2g}" in strict
    assert "can be decided" in foretold(policy("max = 0.05", metric="performance.learned_p_value"), credit_subject, learning)


def test_what_is_left_out_unset_or_not_known_is_told(credit_subject: Subject) -> None:
    assert "cannot be judged, its check is left out" in foretold(policy("min = 0.5"), credit_subject, [])
    refused = foretold(policy("min = 0.5"), credit_subject, refused={"performance.accuracy": "why"})
    assert "cannot be judged, performance.accuracy does not run" in refused
    assert "no limit set, ask the model's owner: R0" in foretold(policy('limit = "unset"'), credit_subject)
    later = foretold(policy("min = 0.5", metric="performance.roc_auc"), credit_subject)
    assert "whether the rows suffice shows when it is measured: R0" in later
    independent = policy("min = 0.5", extra="requires_independence = true")
    assert "developer and validator must be declared, and differ" in foretold(independent, credit_subject)


def test_no_line_is_longer_than_80_columns(credit_subject: Subject) -> None:
    for name in ("high-risk-credit", "medical-diagnosis"):
        lines = policy_lines(Policy.shipped(name), credit_subject, CHECKS, {}, today=TODAY)
        assert max(map(len, lines)) <= 80
    rules = Policy.model_validate(
        {
            "policy": {"id": "p"},
            "rule": [
                {"id": f"R{i}", "metric": metric, "min": 0.123456, "set_by": "s", "rationale": "r"}
                for i, metric in enumerate((*SHARES, *COUNTED))
            ],
        }
    )
    assert max(map(len, policy_lines(rules, credit_subject, CHECKS, {}, today=TODAY))) <= 80


@pytest.mark.slow
def test_every_share_and_every_count_of_an_audit_is_foretold_as_what_it_is(
    credit_subject: Subject, quick: dict[str, dict[str, object]]
) -> None:
    audit = run(credit_subject, options=quick, progress=False)
    measured = [metric for evidence in audit.evidence for metric in evidence.metrics if metric.value is not None]
    shares = {m.name: m.bound for m in measured if m.interval in ("wilson", "clopper-pearson") and m.name not in OTHER}
    assert shares.items() <= {name: share.bound for name, share in SHARES.items()}.items()
    assert {m.name for m in measured if m.name in SHARES} <= shares.keys()
    assert all(m.interval == "exact" for m in measured if m.name in COUNTED)
    assert {m.name: set(m.where) - set(WHERE.get(m.name, ())) for m in measured} == {m.name: set() for m in measured}
