"""JUnit: valid by the schema of the build servers, and each rule has the outcome that its verdict asks for."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from audit.exports import Source
from audit.exports.formats.junit import Junit


def suites(source: Source) -> tuple[ET.Element, ET.Element]:
    rules, answers = ET.fromstring(Junit().content(source))
    return rules, answers


@pytest.mark.parametrize("name", ["hostile", "golden", "missed", "unjudged"])
def test_it_is_valid_by_the_published_schema(sources: dict[str, Source], published: Path, tmp_path: Path, name: str) -> None:
    xmlschema = pytest.importorskip("xmlschema")
    path = tmp_path / "junit.xml"
    path.write_bytes(Junit().content(sources[name]))
    xmlschema.XMLSchema(published / "junit-10.xsd").validate(path)


def test_the_schema_refuses_a_suite_without_its_counts(source: Source, published: Path, tmp_path: Path) -> None:
    xmlschema = pytest.importorskip("xmlschema")
    path = tmp_path / "junit.xml"
    path.write_bytes(Junit().content(source).replace(b' failures="', b' broken="'))
    assert not xmlschema.XMLSchema(published / "junit-10.xsd").is_valid(path)


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        ("FIRST", "system-out"),
        ("SECOND", "failure"),
        ("WAIVED", "skipped"),
        ("KEPT-BUT-WAIVED", "system-out"),
        ("UNDECIDED", "skipped"),
        ("CERTAINTY", "failure"),
        ("NOT-MEASURED", "skipped"),
    ],
)
def test_a_verdict_becomes_the_outcome_that_it_means(source: Source, rule: str, outcome: str) -> None:
    (case,) = [case for case in suites(source)[0].iter("testcase") if case.get("name") == rule]
    assert [child.tag for child in case] == [outcome]


def test_an_accepted_fail_is_still_called_one_and_says_who_accepted_it(source: Source) -> None:
    (case,) = [case for case in suites(source)[0].iter("testcase") if case.get("name") == "WAIVED"]
    message = case[0].get("message") or ""
    assert message.startswith("fail, accepted by A. Person, 2099-01-31: ")


def test_the_counts_are_those_of_the_cases(sources: dict[str, Source]) -> None:
    root = ET.fromstring(Junit().content(sources["missed"]))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("9", "2", "1")
    assert [suite.get("skipped") for suite in root] == ["3", "0"]


def test_a_missed_known_answer_is_an_error_and_one_that_was_given_is_none(sources: dict[str, Source]) -> None:
    assert suites(sources["hostile"])[1].find("testcase/error") is None
    error = suites(sources["missed"])[1].find("testcase/error")
    assert error is not None
    assert "expected 1 within 0, measured 2" in str(error.get("message"))


def test_the_properties_hold_the_digest_of_the_policy_and_the_checks_that_measured_nothing(source: Source) -> None:
    properties = {item.get("name"): item.get("value") for item in suites(source)[0].iter("property")}
    assert properties["policy.sha256"] == "23" * 32
    assert "not_run.robustness.text_edits" in properties


def test_names_stay_data(source: Source) -> None:
    content = Junit().content(source).decode()
    cases = {case.get("name") for case in suites(source)[0].iter("testcase")}
    assert any('a<b>&"c"]]>|`x`' in str(name) for name in cases)
    assert "\u202e" not in content
    assert "\x07" not in content
