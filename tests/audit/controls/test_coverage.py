"""Coverage: measured where there is a number, declared where all is declared, out of scope else; and never more than that."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from audit import Audit, Evidence, Policy, Subject, run
from audit.controls import Law, Matrix, matrix, read_law
from audit.report.catalogue import read_catalogue
from classifier.metric import Metric

EMPTY = {"title": {"en": "t", "zh-CN": "标题"}}
CLAUSES = {
    "metric": {"evidence": ["a.x"]},
    "check": {"evidence": ["a.check"]},
    "room": {"evidence": ["a."]},
    "other": {"evidence": ["b."], "declarations": ["oversight"]},
    "both": {"declarations": ["developer", "validator"]},
    "two": {"declarations": ["developer", "validator"], "different": True},
    "informed": {"related": ["a."], "declarations": ["oversight"]},
    "limits": {"evidence": ["record.limits"]},
    "record": {"evidence": ["record.policy"]},
    "nothing": {},
}
EVIDENCE = (Evidence("a.check", metrics=(Metric.counted("a.x", 1, 10), Metric.counted("a.y", 2, 10), Metric.missing("a.z", "why"))),)


def law() -> Law:
    head = {**EMPTY, "id": "law", "source": "s", "in_force": "2025-01", "version": 1}
    return Law.model_validate({"law": head, "control": [{"id": name, **EMPTY, **fields} for name, fields in CLAUSES.items()]})


@pytest.fixture(scope="module")
def bare(credit_subject: Subject) -> Audit:
    """An audit of one check, whose evidence the tests replace."""
    return replace(run(credit_subject, only=["data.quality"], progress=False), evidence=EVIDENCE)


def statuses(audit: Audit, language: str = "en") -> dict[str, str]:
    return {row.id.removeprefix("law:"): row.status for row in found(audit, language).rows}


def found(audit: Audit, language: str = "en") -> Matrix:
    sentences = {
        **read_catalogue("en").sentences,
        "check.a.check.title": "the check",
        "control_evidence.source": "{source} {in_force} {version}",
        "control_evidence.comma": ", ",
        "control_evidence.numbers": "{check} {count}",
        "control_evidence.checks": "numbers: {checks}",
        "control_evidence.record": "record: {parts}",
        "control_evidence.rules": "rules: {verdicts}",
        "control_evidence.declared": "declared: {names}",
        "control_evidence.undeclared": "missing: {names}",
        "control_evidence.alike": "the same",
        "control_evidence.related": "related: {checks}",
        "control_evidence.source_later": "{source} {in_force} {applies_from} {version}",
        "control_record.policy": "policy",
        "control_record.limits": "limits",
    }
    return matrix(law(), audit, replace(read_catalogue("en"), language=language, sentences=sentences))


def declaring(audit: Audit, **declarations: str) -> Audit:
    return replace(audit, identity=replace(audit.identity, declarations=declarations))


def test_a_clause_is_measured_by_a_metric_a_check_or_an_area_that_gave_a_number(bare: Audit) -> None:
    told = statuses(bare)
    assert [told[name] for name in ("metric", "check", "room")] == ["measured"] * 3
    assert {row.id: row.checks for row in found(bare).rows}["law:room"] == {"a.check": 2}
    assert {row.id: row.checks for row in found(bare).rows}["law:metric"] == {"a.check": 1}


def test_a_check_that_gave_no_number_answers_nothing(bare: Audit) -> None:
    nothing = replace(bare, evidence=(Evidence("a.check", metrics=(Metric.missing("a.x", "why"),), not_run="why"),))
    assert set(statuses(nothing).values()) == {"out of scope"}


def test_a_clause_is_declared_only_where_all_that_it_takes_is_declared(bare: Audit) -> None:
    assert statuses(bare)["both"] == "out of scope"
    one = declaring(bare, developer="Ann", validator=" ")
    assert statuses(one)["both"] == "out of scope"
    row = next(row for row in found(one).rows if row.id == "law:both")
    assert (row.declared, row.undeclared) == (("developer",), ("validator",))
    assert row.evidence == "declared: Developer; missing: Validator"
    assert statuses(declaring(bare, developer="Ann", validator="Bob"))["both"] == "declared"
    assert statuses(declaring(bare, oversight="a clerk"))["other"] == "declared"


def test_what_the_record_holds_answers_where_the_audit_has_it(bare: Audit) -> None:
    assert statuses(bare)["record"] == "out of scope"
    assert statuses(replace(bare, policy={"id": "p", "sha256": "0"}))["record"] == "measured"


def test_limits_answer_only_where_a_rule_sets_one(bare: Audit) -> None:
    def judged(**limit: object) -> Audit:
        rule = {"id": "R", "metric": "a.x", "set_by": "s", "rationale": "r", **limit}
        policy = Policy.model_validate({"policy": {"id": "p"}, "rule": [rule]})
        return replace(bare, policy={"id": "p", "sha256": "0"}, findings=policy.judge(EVIDENCE, today=datetime.date(2026, 1, 1)))

    assert statuses(judged(limit="unset"))["limits"] == "out of scope"
    assert statuses(judged(min=0))["limits"] == "measured"


def test_one_name_for_two_people_answers_nothing_and_is_said(bare: Audit) -> None:
    same = declaring(bare, developer="Zhang Wei", validator=" zhang  wei")
    row = next(row for row in found(same).rows if row.id == "law:two")
    assert (row.status, row.evidence) == ("out of scope", "declared: Developer, Validator; the same")
    assert statuses(declaring(bare, developer="Zhang Wei", validator="Li Na"))["two"] == "declared"


def test_numbers_that_inform_a_clause_are_named_and_do_not_answer_it(bare: Audit) -> None:
    row = next(row for row in found(bare).rows if row.id == "law:informed")
    assert (row.status, row.checks, row.related) == ("out of scope", {}, {"a.check": 2})
    assert row.evidence.endswith("; related: the check 2")
    assert statuses(declaring(bare, oversight="a clerk"))["informed"] == "declared"


@pytest.mark.parametrize(
    ("law", "clause"), [("gdpr", "32.1.a"), ("pipl", "51"), ("eu-ai-act", "annex-iv.2.h"), ("eu-ai-act", "9.8"), ("eu-ai-act", "10.2.g")]
)
def test_whom_somebody_trusts_and_that_a_policy_is_named_answer_no_such_clause(bare: Audit, law: str, clause: str) -> None:
    trusting = replace(bare, trust={"store": "ab" * 32}, policy={"id": "p", "sha256": "0"})
    rows = matrix(read_law(law), trusting, read_catalogue("en")).rows
    assert {row.id: row.status for row in rows}[f"{law}:{clause}"] == "out of scope"


def test_findings_of_rules_that_name_a_clause_are_counted_by_verdict_fails_too(bare: Audit) -> None:
    rules = [
        {"id": str(limit), "metric": "a.x", "min": limit, "set_by": "s", "rationale": "r", "controls": ["law:room"]} for limit in (0, 1, 2)
    ]
    policy = Policy.model_validate({"policy": {"id": "p"}, "rule": rules})
    judged = replace(bare, findings=policy.judge(EVIDENCE, today=datetime.date(2026, 1, 1)))
    row = next(row for row in found(judged).rows if row.id == "law:room")
    assert row.verdicts == {"fail": 1, "pass": 2}
    assert row.evidence == "numbers: the check 2; rules: Fail 1, Pass 2"


def test_titles_are_in_the_language_of_the_sentences(bare: Audit) -> None:
    assert found(bare, "zh-CN").title == "标题"
    assert found(bare).title == "t"
    assert found(bare).source == "s 2025-01 1"


def test_a_law_that_applies_later_than_it_is_in_force_says_both(bare: Audit) -> None:
    assert "In force since 2016-05-24; applies from 2018-05-25." in matrix(read_law("gdpr"), bare, read_catalogue("en")).source


def test_a_clause_that_nothing_answers_is_shown(bare: Audit) -> None:
    row = next(row for row in found(bare).rows if row.id == "law:nothing")
    assert (row.status, row.evidence) == ("out of scope", "")
