"""The catalogues of controls: complete in both languages, and every name in them exists."""

from __future__ import annotations

import pytest

from audit.check import ROOMS, check_ids, metric_names
from audit.controls import control_ids, laws, named_laws, read_law
from audit.controls.coverage import RECORD
from audit.declarations_part import DeclarationsPart
from classifier.errors import ConfigurationError

LAWS = ("cn-pi-audit", "eu-ai-act", "gb-t-42888", "gb-t-45225", "gdpr", "iso-42001", "nist-ai-rmf", "pipl", "sr-26-2")
ANSWERS = {*check_ids(), *metric_names(), *(f"{room}." for room in ROOMS), *(f"record.{part}" for part in RECORD)}
FORBIDDEN = ("compliant", "certified", " safe")


def test_these_laws_have_a_catalogue() -> None:
    assert laws() == LAWS


@pytest.mark.parametrize("name", LAWS)
def test_a_catalogue_names_only_what_exists_and_each_clause_once(name: str) -> None:
    law = read_law(name)
    assert law.law.id == name
    assert len(set(law.ids)) == len(law.ids)
    for control in law.control:
        assert {*control.evidence, *control.related} <= ANSWERS, control.id
        assert not control.different or len(control.declarations) > 1, control.id
        assert set(control.declarations) <= DeclarationsPart.model_fields.keys(), control.id


@pytest.mark.parametrize("name", LAWS)
def test_every_title_is_short_in_both_languages_and_promises_nothing(name: str) -> None:
    law = read_law(name)
    for title in (law.law.title, *(control.title for control in law.control)):
        assert title("en") != title("zh-CN")
        assert any("一" <= letter <= "鿿" for letter in title("zh-CN"))
        assert len(title("en")) <= 110
        assert not any(word in title("en").lower() for word in FORBIDDEN)


def test_a_law_without_a_catalogue_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="no catalogue of controls 'gdprs'; did you mean 'gdpr'"):
        read_law("gdprs")


def test_the_laws_that_clauses_are_of_come_once_and_in_order() -> None:
    assert named_laws(["pipl:24", "eu-ai-act:15.1", "pipl:51", "unknown:1"]) == ("eu-ai-act", "pipl")
    assert {"eu-ai-act:10.2.f", "nist-ai-rmf:MEASURE-2.11", "cn-pi-audit:9.1"} <= control_ids()
