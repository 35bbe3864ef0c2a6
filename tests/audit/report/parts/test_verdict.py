"""Page one, and the boxes in which it is signed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit import Audit, Policy
from audit.report import compose
from audit.report.catalogue import read_catalogue
from audit.report.contents import Contents
from audit.report.document import Facts, Signature
from tests.audit.report.conftest import blocks_of, cells_of, part_of, words_of


def facts_of(audit: Audit, run: dict[str, object] | None = None) -> dict[str, str]:
    (facts,) = (block for block in part_of(compose(audit, run=run), "verdict").blocks if isinstance(block, Facts))
    return {term: cell.text for term, cell in facts.facts}


def declaring(audit: Audit, **declarations: str) -> Audit:
    return replace(audit, identity=replace(audit.identity, declarations=declarations))


def test_the_gravest_open_violation_stands_first(judged: Audit, policy: Policy) -> None:
    first = words_of(part_of(compose(judged, policy=policy), "verdict"))
    assert "4 of 10 rules violated." in first
    assert "1 of these accepted by a named person." in first
    worst = first[first.index("Findings that weigh most") :]
    assert worst.index("BROKEN") < worst.index("EXPIRED") < worst.index("UNDECIDED")
    assert "WAIVED" not in worst


def test_rules_that_nobody_could_judge_come_before_numbers_and_checks_and_other_inputs_last(judged: Audit) -> None:
    missing = Contents(judged, read_catalogue()).not_measured()
    undecided = {finding.rule for finding in judged.findings if finding.verdict == "not_run"}
    assert {what for what, _ in missing[: len(undecided)]} == undecided
    assert missing[-1][1] == "about inputs of another kind than these"
    assert sum("modality" in why for _, why in missing) == 0
    assert "5 more could not be decided." in words_of(part_of(compose(judged), "verdict"))


def test_of_findings_that_weigh_the_same_one_of_each_metric_comes_first_and_the_furthest_beyond_its_limit(judged: Audit) -> None:
    (model,) = (finding for finding in judged.findings if finding.rule == "BROKEN")
    limits = {"near": ("performance.log_loss", 0.4), "far": ("performance.log_loss", 0.01), "other": ("performance.brier", 0.3)}
    findings = tuple(replace(model, rule=rule, asked=asked, limit=limit) for rule, (asked, limit) in limits.items())
    assert [f.rule for f in Contents(replace(judged, findings=findings), read_catalogue()).worst()] == ["far", "other", "near"]


def test_the_counts_of_the_four_verdicts_add_up_to_the_rules(judged: Audit) -> None:
    part = part_of(compose(judged), "verdict")
    (counts,) = (block for block in part.blocks if getattr(block, "title", "") == "Number of rules by verdict and severity")
    numbers = [[int(cell.text) for cell in row[1:]] for row in counts.rows]  # type: ignore[union-attr]  # a grid, by its title
    assert [row[0].verdict for row in counts.rows] == ["fail", "inconclusive", "not_run", "pass"]  # type: ignore[union-attr]
    assert all(sum(row[:-1]) == row[-1] for row in numbers)
    assert sum(row[-1] for row in numbers) == len(judged.findings)


def test_identity_and_digests_stand_on_page_one(judged: Audit) -> None:
    facts = facts_of(judged)
    assert facts["Classifier"] == f"{judged.identity.classifier[:12]}…" if judged.identity.classifier else False
    assert all(f"{digest[:12]}…" in facts["Digests of the rows"] for digest in judged.identity.data.values())
    assert facts["Policy"] == f"test-v1, {judged.policy['sha256'][:12]}…"
    assert facts["Intended use"] == "to test the report"
    assert facts["Decision asked for"] == "not stated"


@pytest.mark.parametrize(
    ("stated", "started", "said"),
    [
        ("", "2026-06-01T12:00:00+00:00", "not stated"),
        ("2026-06-01", "2026-06-01T23:59:00+00:00", "2026-06-01, as declared"),
        ("2026-05-31", "2026-06-01T00:00:00+00:00", "2026-05-31, as declared: that day had passed when this was measured"),
        ("2026-05-31", "", "2026-05-31, as declared"),
        ("next spring", "2026-06-01T00:00:00+00:00", "“next spring”, as declared: no date"),
    ],
)
def test_expiry_is_told_against_the_day_of_the_audit(judged: Audit, stated: str, started: str, said: str) -> None:
    told = facts_of(declaring(judged, valid_until=stated), {"started": started})["Valid until"]
    assert told.startswith(said)
    assert ("passed" in told) == ("passed" in said)


@pytest.mark.parametrize(
    ("declarations", "independent"),
    [
        ({}, False),
        ({"developer": "A"}, False),
        ({"validator": "B"}, False),
        ({"developer": "Bank", "validator": " bank "}, False),
        ({"developer": "Bank", "validator": "Auditor"}, True),
    ],
)
def test_only_two_declared_parties_make_it_more_than_self_assessed(judged: Audit, declarations: dict[str, str], independent: bool) -> None:
    audit = declaring(judged, **declarations)
    told = facts_of(audit)["Assessment"]
    assert told.startswith("Declared as independent" if independent else "Self-assessed")
    assert told in compose(audit).subtitle
    assert ("not verified" in told) == independent


def test_signers_are_named_or_it_is_said_who_tells(judged: Audit) -> None:
    assert facts_of(judged, {"signers": ["A. Person", "B. Person"]})["Signed by"] == "A. Person, B. Person"
    assert "assay verify" in facts_of(judged)["Signed by"]


def test_without_a_policy_nothing_is_judged_and_page_one_says_so(unjudged: Audit) -> None:
    part = part_of(compose(unjudged), "verdict")
    assert "Nothing was judged: there is no policy." in words_of(part)
    assert not [cell for block in blocks_of(part.blocks) for cell in cells_of(block) if cell.verdict]


def test_whoever_answers_for_it_has_a_box_to_sign_in_and_the_institution_one_to_seal_in(judged: Audit) -> None:
    part = part_of(compose(declaring(judged, developer="A. Developer")), "limits")
    boxes = {block.title: block.lines for block in blocks_of(part.blocks) if isinstance(block, Signature)}
    assert list(boxes) == ["Head of the institution", "Lead of the audit", "Developer", "Validator", "Seal of the institution"]
    assert boxes["Developer"] == ("Name: A. Developer", "Signature", "Date")


@pytest.mark.parametrize(
    ("declared", "said"),
    [(None, "the English one prevails"), ("zh-CN", "the Chinese one prevails"), ("Latin", "in this language prevails: Latin")],
)
def test_one_language_prevails(judged: Audit, declared: str | None, said: str) -> None:
    audit = judged if declared is None else declaring(judged, prevailing_language=declared)
    assert said in words_of(part_of(compose(audit), "limits"))


def test_a_declaration_that_is_missing_is_named_on_page_two(judged: Audit, declared: Audit) -> None:
    def missing(audit: Audit) -> str:
        facts = [fact for b in blocks_of(part_of(compose(audit), "scope").blocks) if isinstance(b, Facts) for fact in b.facts]
        return dict(facts)["Not declared"].text if "Not declared" in dict(facts) else ""

    assert {"Developer", "Validator", "Source of the labels", "Human oversight"} <= set(missing(judged).split(", "))
    assert missing(declared) == ""
