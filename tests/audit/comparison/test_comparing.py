"""Two audits whose difference is known: what was planted is found, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.bundle import Audit
from audit.comparison import Change, compare, gate
from audit.comparison.circumstances import require_alike
from audit.comparison.comparing import DEFECTS, FOREMOST
from audit.evidence import Evidence
from classifier.errors import ConfigurationError
from classifier.known_answer import KnownAnswer
from classifier.metric import Metric

MakeAudit = Callable[..., Audit]
Probabilities = NDArray[np.float64]
Labels = NDArray[np.int64]


def _one(audit: Audit, other: Audit, name: str) -> Change:
    (change,) = (change for change in compare(audit, other).changes if change.name == name)
    return change


def test_an_audit_against_itself_has_no_change(make_audit: MakeAudit, event: Probabilities, labels: Labels) -> None:
    audit = make_audit(event, labels, robust=event < 0.4)
    difference = compare(audit, audit)
    assert {change.status for change in difference.changes} == {"same"}
    assert {change.p_value for change in difference.changes} == {1.0}
    assert {rule.turn for rule in difference.rules} == {"unchanged"}
    assert (difference.notices, difference.exit_code) == ((), 0)
    # Where no row gives another number, no test could find anything, and nothing is corrected for it.
    assert (difference.foremost, difference.tested, len(difference.changes)) == (0, 0, 4)


def test_a_planted_drop_is_found_row_by_row(make_audit: MakeAudit, event: Probabilities, worse: Probabilities, labels: Labels) -> None:
    difference = compare(make_audit(event, labels), make_audit(worse, labels))
    assert [(change.name, change.method, change.rows) for change in difference.of("regression")] == [
        ("performance.accuracy", "mcnemar", 200),
        ("performance.roc_auc", "paired_delong", 200),
        ("performance.log_loss", "paired_bootstrap", 200),
    ]
    assert difference.exit_code == 1
    for change in difference.changes:
        assert change.low is not None
        assert change.high is not None
        assert change.difference is not None
        assert change.low <= change.difference <= change.high
    assert compare(make_audit(worse, labels), make_audit(event, labels)).exit_code == 0


def test_the_same_drop_takes_more_rows_where_each_is_not_kept(
    make_audit: MakeAudit, event: Probabilities, worse: Probabilities, labels: Labels
) -> None:
    kept, alone = (
        _one(*(make_audit(e, labels, arrays=arrays) for e in (event, worse)), "performance.accuracy") for arrays in (True, False)
    )
    assert (kept.method, alone.method) == ("mcnemar", "newcombe")
    assert kept.p_value is not None
    assert alone.p_value is not None
    assert kept.p_value < alone.p_value
    other = make_audit(worse, labels, data={"test": "00" * 32, "training": "ef" * 32})
    assert _one(make_audit(event, labels), other, "performance.accuracy").method == "newcombe"


def test_equal_classifiers_differ_in_any_number_in_one_comparison_of_twenty_at_most(make_audit: MakeAudit, labels: Labels) -> None:
    generator = np.random.default_rng(0)
    alarms = 0
    for _ in range(100):
        hard = 0.3 + 0.4 * labels + generator.normal(0, 0.2, len(labels))
        first, second = (np.clip(hard + generator.normal(0, 0.1, len(labels)), 0.01, 0.99) for _ in range(2))
        difference = compare(make_audit(first, labels, robust=first < 0.4), make_audit(second, labels, robust=second < 0.4))
        alarms += bool(difference.of("regression", "improvement"))
    # More than 11 of 100 has a chance of .004 if each has 5 %; all that is compared here is one family.
    assert alarms <= 11


def test_what_one_audit_lacks_cannot_be_told(make_audit: MakeAudit, event: Probabilities, labels: Labels) -> None:
    full, short = make_audit(event, labels, robust=event < 0.4, rules=()), make_audit(event, labels, rules=())
    for old, new, reason in ((full, short, "not_in_new.left_out"), (short, full, "not_in_old.left_out")):
        change = _one(old, new, "robustness.accuracy")
        assert (change.status, change.reason, change.lacking) == ("incomparable", reason, True)
        assert compare(old, new).exit_code == 3
    refused = replace(full, evidence=(full.evidence[0], Evidence("robustness.attack", not_run="a black box")))
    change = _one(full, refused, "robustness.accuracy")
    assert (change.reason, change.words["why"]) == ("not_in_new.unmeasured", "a black box")
    elsewhere = _moved(full, where={"eps": 0.2, "norm": "Linf", "rows": "any"})
    reasons = {change.reason for change in compare(full, elsewhere).of("incomparable")}
    assert reasons == {"not_in_new.elsewhere", "not_in_old.elsewhere"}
    # Places that an audit chooses by what it finds differ always: that a number is there at all is what counts.
    assert compare(full, elsewhere).exit_code == 0


def _moved(audit: Audit, **changes: object) -> Audit:
    """The audit with something else said of the metric of its last check."""
    *others, last = audit.evidence
    (metric,) = last.metrics
    return replace(audit, evidence=(*others, replace(last, metrics=(replace(metric, **changes),))))


def test_what_was_asked_otherwise_is_not_compared_and_what_was_found_out_is_no_option(
    make_audit: MakeAudit, event: Probabilities, labels: Labels
) -> None:
    robust = event < 0.4
    quick = make_audit(event, labels, robust=robust)
    change = _one(quick, make_audit(event, labels, robust=robust, options={"suite": "standard"}), "robustness.accuracy")
    assert (change.status, change.reason, change.lacking) == ("incomparable", "asked", True)
    assert change.words == {"option": "suite", "old": "quick", "new": "standard", "options": 1}
    assert _one(quick, make_audit(event, labels, robust=robust, options={"evaluations": 7}), "robustness.accuracy").status == "same"
    change = _one(quick, _moved(quick, bound="estimate"), "robustness.accuracy")
    assert (change.status, change.reason) == ("incomparable", "bound")


def test_what_flatters_is_no_ground_for_worse_or_better(make_audit: MakeAudit, event: Probabilities, labels: Labels) -> None:
    strong, weak = make_audit(event, labels, robust=event < 0.6, rules=()), make_audit(event, labels, robust=event < 0.2, rules=())
    flattered = _moved(strong, unreliable="all gradients are zero")
    assert _one(weak, strong, "robustness.accuracy").status == "improvement"
    assert _one(weak, flattered, "robustness.accuracy").reason == "unreliable"
    assert _one(flattered, weak, "robustness.accuracy").reason == "unreliable"
    # Lower even though it flatters is lower.
    assert _one(strong, _moved(weak, unreliable="all gradients are zero"), "robustness.accuracy").status == "regression"


def test_one_defect_more_is_one_more_and_other_counts_are_told_without_a_test(
    make_audit: MakeAudit, counted: Callable[[int], Evidence], event: Probabilities, labels: Labels
) -> None:
    none, one = (make_audit(event, labels, more=[counted(count)]) for count in (0, 1))
    assert (_one(none, one, "data.duplicates_across_splits").status, compare(none, one).exit_code) == ("regression", 1)
    assert (_one(one, none, "data.duplicates_across_splits").status, compare(one, none).exit_code) == ("improvement", 0)

    def size(value: float) -> Audit:
        return make_audit(
            event, labels, more=[Evidence("robustness.backdoor", (Metric.counted("robustness.trigger_size", value, 9, better="higher"),))]
        )

    assert _one(size(0.2), size(0.1), "robustness.trigger_size").status == "untested"
    assert compare(size(0.2), size(0.1)).exit_code == 0


def test_numbers_without_a_better_side_are_different_and_violate_nothing(
    make_audit: MakeAudit, event: Probabilities, labels: Labels
) -> None:
    def importance(value: float) -> Audit:
        metric = Metric("explanation.importance", value, value - 0.01, value + 0.01, 50, interval="bootstrap", better="neither")
        return make_audit(event, labels, more=[Evidence("explanation.attribution", (metric,))])

    difference = compare(importance(0.1), importance(0.5))
    assert [change.name for change in difference.of("different")] == ["explanation.importance"]
    assert difference.exit_code == 0


def test_a_number_that_stands_twice_is_not_chosen_from(make_audit: MakeAudit, event: Probabilities, labels: Labels) -> None:
    audit = make_audit(event, labels)
    evidence = replace(audit.evidence[0], metrics=(*audit.evidence[0].metrics, audit.evidence[0].metrics[0]))
    change = _one(audit, replace(audit, evidence=(evidence,)), "performance.accuracy")
    assert (change.reason, change.lacking) == ("twice", True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"profile": "standard"}, "the old audit has the profile 'quick' and the new one 'standard'"),
        ({"classes": ("good", "poor")}, "the classes of the old audit: good, bad; of the new one: good, poor"),
        ({"event": "good"}, "the event of the old audit: bad; of the new one: good"),
        ({"favourable": None}, "the favourable class of the old audit: good; of the new one"),
    ],
)
def test_audits_of_other_questions_are_refused(
    changed: dict[str, object], message: str, make_audit: MakeAudit, event: Probabilities, labels: Labels
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compare(make_audit(event, labels), make_audit(event, labels, **changed))
    told = {"profile": "quick", "classes": ("good", "bad"), "event": "bad", "favourable": "good", **changed}
    with pytest.raises(ConfigurationError, match=message):
        require_alike(make_audit(event, labels), **told)


def test_all_else_that_is_not_alike_is_told(make_audit: MakeAudit, event: Probabilities, labels: Labels) -> None:
    old = make_audit(event, labels)
    new = make_audit(
        event, labels, seed=7, threshold=0.4, classifier="99" * 32, data={"test": "00" * 32, "training": "ef" * 32}, rules=[],
        declarations={"intended_use": "more"},
    )  # fmt: skip
    new = replace(new, software={"assay": "2"}, interrupted=True)
    told = {(notice.id, notice.of): (notice.old, notice.new, notice.grave) for notice in compare(old, new).notices}
    assert told == {
        ("interrupted", ""): ("no", "yes", True),
        ("policy", ""): (f"loans-v1 ({old.policy['sha256'][:12]})", "", True),
        ("data", "test"): ("200 (cdcdcdcdcdcd)", "200 (000000000000)", False),
        ("classifier", ""): ("abababababab", "999999999999", False),
        ("threshold", ""): ("0.5", "0.4", False),
        ("seed", ""): ("0", "7", False),
        ("declaration", "intended_use"): ("tests", "more", False),
        ("software", "assay"): ("1", "2", False),
    }
    assert compare(old, new).exit_code == 3


def test_numbers_of_an_engine_that_missed_a_known_answer_are_not_relied_on(
    make_audit: MakeAudit, event: Probabilities, labels: Labels
) -> None:
    audit = make_audit(event, labels)
    wrong = replace(audit, known_answers=(KnownAnswer("engine", "one is one", 1.0, 2.0, 0.0),))
    assert compare(audit, wrong).exit_code == compare(wrong, audit).exit_code == 5


def test_nothing_compared_is_never_0(make_audit: MakeAudit, event: Probabilities, labels: Labels) -> None:
    empty = replace(make_audit(event, labels, rules=[]), evidence=())
    assert compare(empty, empty).exit_code == 3


def test_the_gate_passes_what_was_violated_before_and_stops_what_is_worse(
    make_audit: MakeAudit, event: Probabilities, worse: Probabilities, labels: Labels
) -> None:
    strict = [{"id": "RIGHT", "metric": "performance.accuracy", "min": 0.99, "set_by": "committee", "rationale": "a test"}]
    old, new = (make_audit(e, labels, rules=strict) for e in (event, worse))
    assert old.exit_code == 1
    passed, stopped = gate(old, old), gate(old, new)
    assert (passed.exit_code, stopped.exit_code) == (0, 1)
    assert passed.lines[0] == "Nothing is found to be worse."
    assert stopped.lines[0] == "Worse: rules newly violated 0, measurements 3."
    assert any("Accuracy" in line for line in stopped.lines)
    assert gate(replace(old, evidence=()), new).exit_code == 3


def test_the_gate_fails_on_rules_of_a_severity_and_calling_a_rule_milder_does_not_open_it(
    make_audit: MakeAudit, event: Probabilities, labels: Labels
) -> None:
    def audit(severity: str, limit: float) -> Audit:
        rule = {"id": "RIGHT", "metric": "performance.accuracy", "min": limit, "set_by": "committee", "rationale": "a test"}
        return make_audit(event, labels, rules=[{**rule, "severity": severity}])

    mild, milder = audit("low", 0.6), audit("low", 0.99)
    assert [gate(mild, milder, fail_on=severity).exit_code for severity in ("low", "medium", "high")] == [1, 0, 0]
    assert [gate(audit("high", 0.6), milder, fail_on=severity).exit_code for severity in ("low", "medium", "high")] == [1, 1, 1]
    assert gate(mild, replace(milder, interrupted=True), fail_on="high").exit_code == 3
    with pytest.raises(ConfigurationError, match="there is no severity 'hgih' to fail on; did you mean 'high'"):
        gate(mild, milder, fail_on="hgih")


def test_a_drop_in_what_counts_most_is_not_hidden_by_all_else_and_what_may_be_one_is_told(
    make_audit: MakeAudit, event: Probabilities, labels: Labels
) -> None:
    generator = np.random.default_rng(3)
    right = np.flatnonzero((event >= 0.5) == (labels == 1))
    worse = event.copy()
    worse[right[:14]] = 1 - worse[right[:14]]
    wrong = np.setdiff1d(np.arange(len(labels)), right)[:1]
    worse[wrong] = 1 - worse[wrong]

    def audit(event: Probabilities, shift: float) -> Audit:
        numbers = [generator.normal(shift if place == 0 else 0, 0.01) for place in range(200)]
        others = tuple(
            Metric(
                "robustness.least_distance",
                0.5 + number,
                0.4 + number,
                0.6 + number,
                90,
                where={"feature": f"{place}"},
                interval="bootstrap",
            )
            for place, number in enumerate(numbers)
        )
        return make_audit(event, labels, rules=(), more=[Evidence("robustness.others", others)])

    difference = compare(audit(event, 0), audit(worse, -0.22))
    assert "performance.accuracy" in [change.name for change in difference.of("regression")]
    assert (difference.foremost, difference.tested) == (3, 200)
    assert [change.where for change in difference.of("possible")] == [{"feature": "0"}]
    only = compare(audit(event, 0), audit(event, -0.22))
    assert (len(only.of("possible")), only.exit_code) == (1, 0)
    assert any("Possibly worse" in line for line in gate(audit(event, 0), audit(event, -0.22)).lines)


def test_what_rules_name_is_of_the_first_family(make_audit: MakeAudit, event: Probabilities, worse: Probabilities, labels: Labels) -> None:
    named, free = (compare(*(make_audit(e, labels, robust=e < 0.4, **rules) for e in (event, worse))) for rules in ({}, {"rules": ()}))
    assert (named.foremost, named.tested) == (4, 0)
    assert (free.foremost, free.tested) == (3, 1)


def test_a_collapse_that_the_rows_cannot_test_is_tested_by_the_numbers(make_audit: MakeAudit, labels: Labels) -> None:
    perfect = np.where(labels == 1, 0.9, 0.1)
    change = _one(make_audit(perfect, labels, rules=()), make_audit(1 - perfect, labels, rules=()), "performance.roc_auc")
    assert (change.method, change.status, change.difference) == ("intervals", "regression", -1.0)
    flat = Metric("robustness.least_distance", 0.5, 0.5, 0.5, 90, interval="bootstrap")
    old, new = (
        make_audit(perfect, labels, rules=(), more=[Evidence("robustness.others", (replace(flat, value=value, low=value, high=value),))])
        for value in (0.5, 0.1)
    )
    assert (_one(old, new, "robustness.least_distance").status, compare(old, new).exit_code) == ("untested", 3)
    assert compare(new, old).exit_code == 0


def test_the_metrics_that_are_counted_exist() -> None:
    from audit.check import metric_names

    assert set(metric_names()) >= DEFECTS | FOREMOST
