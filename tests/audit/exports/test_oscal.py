"""OSCAL: valid by its schema, two states only, and identifiers that the same record gives again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from audit.exports import Source
from audit.exports.formats.oscal import Oscal
from classifier.errors import ConfigurationError

SCHEMA = "oscal-assessment-results-1.2.3.json"


def document(source: Source) -> dict[str, Any]:
    return dict(json.loads(Oscal().content(source))["assessment-results"])


def findings(source: Source) -> dict[str, dict[str, Any]]:
    (result,) = document(source)["results"]
    return {prop["value"]: found for found in result["findings"] for prop in found["props"] if prop["name"] == "rule"}


def identifiers(source: Source) -> list[str]:
    return re.findall(r'"uuid":"([^"]+)"', Oscal().content(source).decode())


@pytest.mark.parametrize("name", ["hostile", "golden", "missed"])
def test_it_is_valid_by_the_published_schema(
    sources: dict[str, Source], schema_errors: Callable[[str, bytes], list[str]], name: str
) -> None:
    assert schema_errors(SCHEMA, Oscal().content(sources[name])) == []


def test_it_is_valid_where_no_rule_serves_a_clause(source: Source, schema_errors: Callable[[str, bytes], list[str]]) -> None:
    bare = tuple(replace(finding, controls=()) for finding in source.audit.findings)
    alone = replace(source, audit=replace(source.audit, findings=bare))
    assert schema_errors(SCHEMA, Oscal().content(alone)) == []


@pytest.mark.parametrize(
    "broken", [(b'"import-ap"', b'"import"'), (b'"not-satisfied"', b'"undecided"'), (b'"target-id":"', b'"target-id":"a:')]
)
def test_the_schema_refuses_what_the_standard_does(
    source: Source, schema_errors: Callable[[str, bytes], list[str]], broken: tuple[bytes, bytes]
) -> None:
    content = Oscal().content(source)
    assert broken[0] in content
    assert schema_errors(SCHEMA, content.replace(*broken))


@pytest.mark.parametrize(
    ("rule", "state", "reason"),
    [
        ("FIRST", "satisfied", "pass"),
        ("SECOND", "not-satisfied", "fail"),
        ("WAIVED", "not-satisfied", "fail"),
        ("UNDECIDED", "not-satisfied", "other"),
        ("NOT-MEASURED", "not-satisfied", "other"),
    ],
)
def test_only_a_pass_is_satisfied(source: Source, rule: str, state: str, reason: str) -> None:
    status = findings(source)[rule]["target"]["status"]
    assert (status["state"], status["reason"]) == (state, reason)


def test_identifiers_are_the_same_for_the_same_record_and_others_for_another(source: Source) -> None:
    other = replace(source, audit=replace(source.audit, seed=8))
    assert identifiers(source) == identifiers(source)
    assert not set(identifiers(source)) & set(identifiers(other))
    assert len(set(identifiers(source))) == len(identifiers(source))


def test_every_finding_rests_on_an_observation_that_is_there(source: Source) -> None:
    (result,) = document(source)["results"]
    observed = {observation["uuid"] for observation in result["observations"]}
    assert {related["observation-uuid"] for found in result["findings"] for related in found["related-observations"]} == observed


def test_the_clauses_that_rules_serve_are_reviewed_and_named_at_their_findings(source: Source) -> None:
    (result,) = document(source)["results"]
    (selection,) = result["reviewed-controls"]["control-selections"]
    assert [control["control-id"] for control in selection["include-controls"]] == ["eu-ai-act_15.1", "nist-ai-rmf_MEASURE-2.5"]
    named = [prop["value"] for prop in findings(source)["FIRST"]["props"] if prop["name"] == "control"]
    assert named == ["eu-ai-act:15.1", "nist-ai-rmf:MEASURE-2.5"]


def test_the_plan_is_the_policy_by_its_digest(source: Source) -> None:
    found = document(source)
    (policy,) = found["back-matter"]["resources"]
    assert found["import-ap"]["href"] == f"#{policy['uuid']}"
    assert len(policy["rlinks"][0]["hashes"][0]["value"]) == 64


def test_the_time_is_that_of_the_run_in_universal_time(source: Source) -> None:
    assert document(source)["results"][0]["start"] == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"started": None}, "oscal asks when the audit began"),
        ({"started": "yesterday"}, "must be a time as 2026-01-31T12:00:00"),
        ({"started": "2026-01-31T12:00:00"}, "must have an offset from universal time"),
        ({"policy_text": None}, "without a policy nothing was judged"),
    ],
)
def test_what_it_lacks_is_named(source: Source, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Oscal().content(replace(source, **changes))
