from __future__ import annotations

from dataclasses import replace

import pytest

from audit import Audit
from audit.evidence import Evidence
from audit.report import summarise
from classifier.metric import Metric
from tests.audit.report.conftest import replace_evidence


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(judged: Audit, not_run: Audit, unjudged: Audit, width: int) -> None:
    for audit in (judged, not_run, unjudged):
        assert max(map(len, summarise(audit, width=width).splitlines())) <= width


def test_every_rule_stands_beside_its_verdict_in_words(judged: Audit) -> None:
    words = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive", "not_run": "Not run"}
    lines = summarise(judged).splitlines()
    for finding in judged.findings:
        assert any(line.startswith(words[finding.verdict]) and finding.rule in line for line in lines)
    assert "Fail 3, Inconclusive 3, Not run 3, Pass 1" in lines


def test_the_summary_says_what_was_not_measured_and_that_an_engine_failed(not_run: Audit) -> None:
    text = " ".join(summarise(not_run).split())
    assert "Who was in the training data: the classifier is a black box" in text
    assert "Do not rely on these numbers" in text
    assert "Known answers: 0 of 3" in text


def test_without_a_policy_the_summary_says_that_nothing_was_judged(unjudged: Audit) -> None:
    assert "Nothing was judged" in summarise(unjudged)


def test_a_name_cannot_command_the_terminal(judged: Audit) -> None:
    audit = replace(judged, findings=tuple(replace(f, rule="\x1b[2Jcleared") for f in judged.findings))
    text = summarise(audit)
    assert "\x1b" not in text
    assert "cleared" in text


def test_a_long_name_of_a_rule_keeps_its_line(judged: Audit) -> None:
    audit = replace(judged, findings=tuple(replace(f, rule="R" * 60) for f in judged.findings))
    lines = summarise(audit).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("R" * 60 in line for line in lines) >= len(judged.findings)


def test_a_number_that_is_not_to_be_relied_on_says_so_beside_its_verdict(judged: Audit) -> None:
    text = " ".join(summarise(judged).split())
    rule = text[text.index("UNRELIABLE") :]
    assert "unreliable: all gradients are zero" in rule[: rule.index(")") + 120]
    assert text.count("unreliable: all gradients are zero") == 1


def test_numbers_of_one_check_that_are_missing_for_one_reason_share_a_line(judged: Audit) -> None:
    def lose(evidence: Evidence) -> Evidence:
        lost = [Metric.missing("robustness.exact_accuracy", "too wide", where={"eps": eps, "rows": "any"}) for eps in (0.1, 0.2, 0.3)]
        other = [Metric.missing("robustness.certified_accuracy", why, where={"eps": 0.1}) for why in ("too wide", "of another kind")]
        return replace(evidence, metrics=(*lost, *other))

    lines = summarise(replace_evidence(judged, "robustness.bounds", lose), width=200).splitlines()
    assert [line for line in lines if "too wide" in line] == ["  Exact accuracy (3 numbers), Proven accuracy: too wide"]
    assert "  Proven accuracy (eps 0.1): of another kind" in lines
