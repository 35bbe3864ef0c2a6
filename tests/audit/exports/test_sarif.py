"""SARIF: valid by its schema, each finding at its rule's line, the same result for the same rule next time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from audit.exports import Source
from audit.exports.formats.sarif import Sarif
from classifier.errors import ConfigurationError
from classifier.records import sha256

SCHEMA = "sarif-2.1.0-rtm.5.json"


def run(source: Source) -> dict[str, Any]:
    (only,) = json.loads(Sarif().content(source))["runs"]
    return dict(only)


def results(source: Source) -> dict[str, dict[str, Any]]:
    return {result["ruleId"]: result for result in run(source)["results"]}


@pytest.mark.parametrize("name", ["hostile", "golden", "missed", "unjudged"])
def test_it_is_valid_by_the_published_schema(
    sources: dict[str, Source], schema_errors: Callable[[str, bytes], list[str]], name: str
) -> None:
    assert schema_errors(SCHEMA, Sarif().content(sources[name])) == []


def test_the_schema_refuses_a_kind_that_it_does_not_know(source: Source, schema_errors: Callable[[str, bytes], list[str]]) -> None:
    assert schema_errors(SCHEMA, Sarif().content(source).replace(b'"kind":"review"', b'"kind":"maybe"'))


@pytest.mark.parametrize(
    ("rule", "kind", "level"),
    [
        ("FIRST", "pass", "none"),
        ("SECOND", "fail", "error"),
        ("WAIVED", "fail", "error"),
        ("UNDECIDED", "review", "none"),
        ("CERTAINTY", "fail", "note"),
        ("NOT-MEASURED", "open", "none"),
    ],
)
def test_kind_and_level_follow_from_verdict_and_severity(source: Source, rule: str, kind: str, level: str) -> None:
    result = results(source)[rule]
    assert (result["kind"], result["level"]) == (kind, level)


def test_a_finding_stands_at_the_line_that_names_its_rule(source: Source) -> None:
    text = str(source.policy_text).splitlines()
    for rule in ("FIRST", "SECOND"):
        (location,) = results(source)[rule]["locations"]
        line = location["physicalLocation"]["region"]["startLine"]
        assert text[line - 1] == f'id = "{rule}"'


def test_an_inherited_rule_stands_at_the_line_that_says_from_where(source: Source) -> None:
    text = '# a remark\n[policy]\nid = "mine"\nextends = "baseline"\n'
    lines = {r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in results(replace(source, policy_text=text)).values()}
    assert lines == {4}


def test_a_rule_of_a_policy_that_comes_with_assay_stands_where_the_audit_names_it(source: Source) -> None:
    text = '[audit]\nname = "mine"\n\n[policy]\nname = "baseline"\n'
    found = run(replace(source, policy_text=text, policy_path="audit.toml"))
    assert {r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in found["results"]} == {5}
    assert found["artifacts"][0]["hashes"]["sha-256"] == sha256(text.encode())


def test_a_clause_that_a_rule_names_twice_is_one_tag(source: Source, schema_errors: Callable[[str, bytes], list[str]]) -> None:
    twice = tuple(replace(finding, controls=("gdpr:22.3", "gdpr:22.3")) for finding in source.audit.findings)
    doubled = replace(source, audit=replace(source.audit, findings=twice))
    assert schema_errors(SCHEMA, Sarif().content(doubled)) == []
    assert run(doubled)["tool"]["driver"]["rules"][0]["properties"]["tags"] == ["performance", "gdpr:22.3"]


def test_the_place_of_the_policy_is_a_path_from_the_root_of_the_repository(source: Source) -> None:
    found = run(replace(source, policy_path="examples/my case/policy.toml"))
    assert found["artifacts"][0]["location"]["uri"] == "examples/my%20case/policy.toml"
    places = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in found["results"]]
    assert {place["uri"] for place in places} == {"examples/my%20case/policy.toml"}


def test_a_fingerprint_outlives_another_number_and_another_line_but_no_other_rule(source: Source) -> None:
    findings = tuple(replace(finding, metric=None) for finding in source.audit.findings)
    later = replace(source, audit=replace(source.audit, findings=findings), policy_text=f"\n\n\n{source.policy_text}")
    before, after = results(source), results(later)
    assert {rule: result["partialFingerprints"] for rule, result in before.items()} == {
        rule: result["partialFingerprints"] for rule, result in after.items()
    }
    assert len({result["partialFingerprints"]["assayRule/v1"] for result in before.values()}) == len(before)


def test_an_accepted_violation_is_suppressed_by_name_and_no_kept_rule_is(source: Source) -> None:
    suppressed = {rule: result["suppressions"] for rule, result in results(source).items() if "suppressions" in result}
    assert suppressed.keys() == {"WAIVED"}
    assert suppressed["WAIVED"][0]["justification"].startswith("A. Person, 2099-01-31")


def test_every_result_points_at_the_rule_of_its_name(source: Source) -> None:
    found = run(source)
    assert [found["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] for r in found["results"]] == [r["ruleId"] for r in found["results"]]


def test_a_missed_known_answer_says_that_the_tool_failed(sources: dict[str, Source]) -> None:
    held, missed = (run(sources[name])["invocations"][0] for name in ("hostile", "missed"))
    assert held["executionSuccessful"] is True
    assert missed["executionSuccessful"] is False
    assert [note["level"] for note in missed["toolExecutionNotifications"]] == ["error", "warning", "note"]


def test_findings_without_the_text_of_their_policy_are_refused(source: Source) -> None:
    with pytest.raises(ConfigurationError, match=r"lines of the policy 'hostile', whose text is missing"):
        Sarif().content(replace(source, policy_text=None))


def test_a_text_that_is_no_policy_is_refused_by_its_name(source: Source) -> None:
    with pytest.raises(ConfigurationError, match=r"policy\.toml is not TOML"):
        Sarif().content(replace(source, policy_text="[policy"))
