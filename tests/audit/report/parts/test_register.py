"""The register of findings: on one page as many as it holds, in the appendix every one in full."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit import Audit, Policy
from audit.report import compose
from audit.report.catalogue import read_catalogue
from audit.report.document import Document, Facts, Grid, Group
from audit.report.parts.register import _PAGE, _SHORT, _WHOLE
from tests.audit.report.conftest import blocks_of, part_of, words_of

# Reasons of the one finding that is about people and not about a number.
OF_INDEPENDENCE = {"independent", "not_independent", "undeclared"}


@pytest.fixture(scope="module")
def document(judged: Audit, policy: Policy) -> Document:
    return compose(judged, policy=policy)


def card(document: Document, rule: str) -> dict[str, str]:
    groups = (b for b in part_of(document, "findings-details").blocks if isinstance(b, Group) and b.title == rule)
    (facts,) = (block for group in groups for block in group.blocks if isinstance(block, Facts))
    return {term: cell.text for term, cell in facts.facts}


def test_every_rule_stands_in_full_with_its_owner_its_reason_and_its_limit(judged: Audit, document: Document) -> None:
    for finding in judged.findings:
        told = card(document, finding.rule)
        assert told["Reason for the limit"] == finding.rationale
        assert finding.set_by in told["Required"]
        assert told["Why"]
        assert ("Next step" in told) == (finding.verdict != "pass")
    assert card(document, "BROKEN")["Serves"] == "eu-ai-act:15.1"
    assert {finding.reason for finding in judged.findings} | OF_INDEPENDENCE == set(read_catalogue().under("reason"))


def test_passed_and_not_run_rules_stand_on_the_page_of_the_failed_ones(judged: Audit, document: Document) -> None:
    page = words_of(part_of(document, "findings"))
    assert all(finding.rule in page for finding in judged.findings)
    assert {"pass", "fail", "inconclusive", "not_run"} <= set(page.split("\n"))


def test_a_failed_rule_says_what_to_do_next_and_who_does_it_by_when(judged: Audit) -> None:
    stated = {"owner": "A. Person", "response": "calibrate it", "due": "2026-03-01"}
    document = compose(judged, run={"responses": {"BROKEN": stated}})
    told = card(document, "BROKEN")
    assert (told["Owner"], told["Response"], told["Due"], told["Status"]) == ("A. Person", "calibrate it", "2026-03-01", "not stated")
    assert told["Next step"].startswith("Change the recipe")
    page = words_of(part_of(document, "findings"))
    assert "Owner: A. Person; Response: calibrate it; Due: 2026-03-01; not stated: Status" in page
    assert "not stated: Owner, Response, Due, Status" in page


@pytest.mark.parametrize("rule", ["UNDECIDED", "UNSET", "HOLDS"])
def test_a_response_is_shown_whatever_the_verdict(judged: Audit, rule: str) -> None:
    told = card(compose(judged, run={"responses": {rule: {"owner": "A. Person"}}}), rule)
    assert (told["Owner"], told["Due"]) == ("A. Person", "not stated")
    assert ("Owner" in card(compose(judged), rule)) == (rule != "HOLDS")


def test_what_would_decide_an_undecided_rule_is_its_next_step(judged: Audit) -> None:
    findings = tuple(replace(f, samples_needed=1234) if f.rule == "UNDECIDED" else f for f in judged.findings)
    document = compose(replace(judged, findings=findings))
    assert "about 1234 rows would be needed" in card(document, "UNDECIDED")["Next step"]
    assert "proof" in card(document, "NOT-REFUTED")["Next step"]
    assert "owner set the limit" in card(document, "UNSET")["Next step"]


def test_a_waived_violation_stays_a_fail_and_names_who_accepts_it(document: Document) -> None:
    waived = next(b for b in part_of(document, "findings-details").blocks if isinstance(b, Group) and b.title == "WAIVED")
    assert waived.verdict == "fail"
    assert card(document, "WAIVED")["Accepted by"] == "A. Person, 2027-01-31: until it is calibrated"
    assert card(document, "EXPIRED")["Accepted by"] == "Acceptance by B. Person ended on 2025-01-31 and counts no more."
    assert "A. Person, 2027-01-31: until it is calibrated" in words_of(part_of(document, "limits"))


def test_a_fail_by_an_unreliable_number_says_both(judged: Audit) -> None:
    findings = tuple(
        replace(f, metric=replace(f.metric, unreliable="it was stopped too soon")) if f.rule == "BROKEN" and f.metric else f
        for f in judged.findings
    )
    assert "unreliable: it was stopped too soon" in card(compose(replace(judged, findings=findings)), "BROKEN")["Measured"]


@pytest.mark.parametrize("verdict", ["fail", "pass"])
def test_a_register_of_any_length_keeps_to_its_page_and_says_how_many_follow(judged: Audit, verdict: str) -> None:
    (model,) = (finding for finding in judged.findings if finding.rule == {"fail": "BROKEN", "pass": "HOLDS"}[verdict])
    many = tuple(replace(model, rule=f"RULE-{place:03}") for place in range(200))
    document = compose(replace(judged, findings=(*judged.findings, *many)))
    part = part_of(document, "findings")
    grids = [block for block in blocks_of(part.blocks) if isinstance(block, Grid)]
    lines = sum(len(grid.rows) * (_WHOLE if grid.title == "Failed and inconclusive" else _SHORT) for grid in grids)
    assert 0.75 * _PAGE < lines <= _PAGE
    shown = sum(len(grid.rows) for grid in grids)
    assert f"And {len(judged.findings) + 200 - shown} more." in words_of(part)
    assert all(f"RULE-{place:03}" in words_of(part_of(document, "findings-details")) for place in range(200))
    assert any(row[1].verdict not in ("fail", "inconclusive") for grid in grids for row in grid.rows) or verdict == "fail"


def test_a_next_step_is_stated_for_every_rule_that_does_not_pass(judged: Audit, document: Document) -> None:
    page = part_of(document, "findings")
    (whole,) = (b for b in page.blocks if isinstance(b, Grid) and b.title == "Failed and inconclusive")
    assert all(row[3].small for row in whole.rows)
    assert {row[0].text for row in whole.rows} == {f.rule for f in judged.findings if f.verdict in ("fail", "inconclusive")}


def test_each_hazard_is_traced_to_its_rule_its_evidence_and_its_result(judged: Audit, document: Document, unjudged: Audit) -> None:
    (table,) = (block for block in part_of(document, "trace").blocks if isinstance(block, Grid))
    assert [[cell.text for cell in row[:3]] for row in table.rows] == [
        ["H-2", "R-1", "BROKEN"],
        ["H-1", "–", "WAIVED"],
        ["–", "R-2", "UNSET"],
    ]
    assert [row[4].verdict for row in table.rows] == ["fail", "fail", "not_run"]
    broken = judged["performance.accuracy"].metric("performance.log_loss")
    assert (table.rows[0][3].text, table.rows[0][3].small[:5]) == ("Log loss", f"{broken.value:.3f}")
    assert "trace" not in {part.id for part in compose(unjudged).parts}
