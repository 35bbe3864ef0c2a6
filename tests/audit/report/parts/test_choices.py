"""What of a room stands in the body."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit import Audit
from audit.check import metric_names
from audit.evidence import Evidence
from audit.report import compose
from audit.report.catalogue import read_catalogue
from audit.report.contents import Contents
from audit.report.parts.choices import MOST_NUMBERS, NUMBERS, PICTURES, ROOMS, chosen_figures, chosen_numbers
from tests.audit.report.conftest import part_of, replace_evidence, words_of


def contents(audit: Audit) -> Contents:
    return Contents(audit, read_catalogue())


def test_the_choices_are_of_metrics_and_figures_that_exist() -> None:
    catalogue = read_catalogue()
    assert {choice.name for room in ROOMS for choice in NUMBERS[room]} <= set(metric_names())
    for room in ROOMS:
        assert all(choice.name.startswith(f"{room}.") for choice in NUMBERS[room])
        for name in (name for names in PICTURES[room] for name in names):
            assert f"figure.{name}.title" in catalogue


@pytest.mark.parametrize("room", ROOMS)
def test_a_number_that_decided_a_rule_is_shown_and_no_more_than_there_is_place_for(judged: Audit, room: str) -> None:
    shown = [metric for metrics in chosen_numbers(contents(judged), room).values() for metric in metrics]
    for finding in judged.findings:
        if finding.asked.startswith(f"{room}.") and finding.metric is not None and finding.metric.value is not None:
            assert finding.metric in shown
    assert 0 < len(shown) <= MOST_NUMBERS[room]
    assert all(metric.value is not None for metric in shown)


def test_a_number_that_no_table_names_is_shown_if_a_rule_hangs_on_it(judged: Audit) -> None:
    importance = judged["explanation.attribution"].metrics[3]
    assert importance.name not in {choice.name for choice in NUMBERS["explanation"]}
    finding = replace(judged.findings[0], asked=importance.name, metric=importance)
    assert importance.name not in chosen_numbers(contents(judged), "explanation")
    assert chosen_numbers(contents(replace(judged, findings=(finding,))), "explanation")[importance.name] == [importance]


def test_the_next_picture_takes_the_place_of_one_that_is_missing(judged: Audit) -> None:
    assert [figure.name for _, figure in chosen_figures(contents(judged), "robustness")] == ["sandwich_valid"]
    without = replace(judged, evidence=tuple(e for e in judged.evidence if e.check != "robustness.bounds"))
    assert [figure.name for _, figure in chosen_figures(contents(without), "robustness")] == ["accuracy_against_eps"]


def test_two_pictures_of_a_kind_are_two_different_ones(judged: Audit) -> None:
    names = [figure.name for _, figure in chosen_figures(contents(judged), "fairness")]
    assert len(names) == len(set(names)) == 2


def test_of_more_judged_numbers_than_there_is_place_for_the_gravest_stand_in_the_body_and_the_others_are_counted(judged: Audit) -> None:
    (model,) = (finding for finding in judged.findings if finding.rule == "HOLDS")
    groups = [m for m in judged["fairness.groups"].metrics if m.value is not None]
    findings = tuple(replace(model, rule=f"R-{place}", asked=m.name, metric=m) for place, m in enumerate(groups))
    last = replace(findings[-1], verdict="fail", violated=True)
    crowded = replace(judged, findings=(*findings[:-1], last))
    shown = [metric for metrics in chosen_numbers(contents(crowded), "fairness").values() for metric in metrics]
    assert len(groups) > len(shown) == MOST_NUMBERS["fairness"]
    assert groups[-1] in shown
    told = words_of(part_of(compose(crowded), "fairness"))
    assert f"And {len(groups) - len(shown)} more numbers on which a rule was judged, in the appendix." in told


def test_a_picture_of_many_rows_is_for_the_appendix(judged: Audit) -> None:
    def crowd(evidence: Evidence) -> Evidence:
        return replace(evidence, figures=tuple(replace(figure, labels=("group",) * 13) for figure in evidence.figures))

    assert chosen_figures(contents(judged), "fairness")
    assert not chosen_figures(contents(replace_evidence(judged, "fairness.groups", crowd)), "fairness")
