"""What checks keep row by row is what their numbers are of, and what they record beside their options is known."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from audit import Subject, run
from audit.bundle import Audit
from audit.check import check_ids, check_type, metric_names
from audit.comparison import compare
from audit.comparison.settings import FOUND_OUT, asked_otherwise
from audit.comparison.stored_rows import READERS, read_rows

CHECKS = (
    "performance", "fairness.groups", "privacy.membership", "robustness.attack", "robustness.bounds", "robustness.corruptions",
    "robustness.distance", "robustness.smoothing", "robustness.transfer",
)  # fmt: skip
# Of texts, and of these there are none here.
ELSEWHERE = {"robustness.invariance"}


@pytest.fixture(scope="module")
def measured(credit_subject: Subject, quick: dict[str, dict[str, object]]) -> Audit:
    """What keeps results row by row, measured as quickly as it goes."""
    return run(replace(credit_subject), profile="quick", only=CHECKS, options=quick, progress=False)


@pytest.fixture(scope="module")
def quick() -> dict[str, dict[str, object]]:
    return {
        "fairness.groups": {"resamples": 100},
        "performance.accuracy": {"resamples": 100},
        "performance.learning": {"permutations": 100},
        "robustness.attack": {"limit": 40, "suite": "quick", "eps": (0.05, 0.1)},
        "robustness.bounds": {"limit": 20, "exact": 0, "eps": (0.05,)},
        "robustness.corruptions": {"limit": 40, "severities": (1, 5), "resamples": 50},
        "robustness.distance": {"limit": 20, "steps": 5, "targets": 1},
        "robustness.smoothing": {"limit": 10, "n": 100, "n0": 20},
        "robustness.transfer": {"limit": 40, "steps": 4, "queries": (20,)},
    }


def test_every_number_that_rows_are_kept_of_is_read_back_from_them(measured: Audit) -> None:
    read = {
        metric.name
        for evidence in measured.evidence
        for metric in evidence.metrics
        if metric.value is not None and read_rows(measured, evidence, metric) is not None
    }
    assert read == set(READERS) - ELSEWHERE
    assert set(READERS) <= set(metric_names())


def test_rows_that_give_another_number_than_the_record_are_not_taken(measured: Audit) -> None:
    evidence = measured["performance.accuracy"]
    metric = evidence.metric("performance.accuracy")
    assert metric.value is not None
    assert read_rows(measured, evidence, metric) is not None
    assert read_rows(measured, evidence, replace(metric, value=metric.value - 0.01)) is None
    assert read_rows(measured, replace(evidence, arrays={}), metric) is None
    short = {**evidence.arrays, "labels": evidence.arrays["labels"][:-1]}
    assert read_rows(measured, replace(evidence, arrays=short), metric) is None


def test_a_measured_audit_against_itself_compares_rows_and_finds_nothing(measured: Audit) -> None:
    difference = compare(measured, measured)
    assert {change.status for change in difference.changes} <= {"same", "incomparable"}
    assert not any(change.lacking for change in difference.changes)
    assert {"mcnemar", "paired_bootstrap", "paired_delong"} <= {change.method for change in difference.changes}


@pytest.mark.parametrize("check", check_ids())
def test_what_a_check_found_out_is_none_of_its_options(check: str) -> None:
    assert not FOUND_OUT.get(check, frozenset()) & {field.name for field in fields(check_type(check))}


def test_all_that_a_check_records_beside_its_options_is_known(measured: Audit) -> None:
    decides = {"performance.decision": {"favourable"}, "fairness.groups": {"predictions"}}
    decides |= {"robustness.corruptions": {"done"}, "robustness.distance": {"attacks"}}
    for evidence in measured.evidence:
        if evidence.not_run is None:
            options = {field.name for field in fields(check_type(evidence.check))}
            beside = set(evidence.parameters) - options - {"threshold", "independence"}
            assert beside == set(FOUND_OUT.get(evidence.check, ())) | decides.get(evidence.check, set()), evidence.check


def test_the_first_option_that_differs_is_named_with_both_values(measured: Audit) -> None:
    attack = measured["robustness.attack"]
    assert asked_otherwise(attack, attack) == ()
    other = replace(attack, parameters={**attack.parameters, "suite": "standard", "rows": 3, "more": 1})
    assert asked_otherwise(attack, other) == (("more", None, 1), ("suite", "quick", "standard"))
