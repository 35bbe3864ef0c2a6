from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from audit import Evidence, Subject
from audit.check import make_check
from audit.report.catalogue import read_catalogue
from audit.subject import Decision
from classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.records import as_record, canonical_json
from classifier.seeds import Seed

SubjectOf = Callable[[Classifier, list[str], list[int]], Subject]
FILLER = "the room was near the old town in london"
QUICK = {"tries": 2, "queries": 60}


def measure(check: str, subject: Subject, seed: int = 0, **options: Any) -> Evidence:
    return make_check(check, options).measure(subject, Seed(seed, ("test",)))


@pytest.fixture(scope="module")
def planted(bag: Callable[..., Classifier], subject_of: SubjectOf) -> tuple[Subject, Subject]:
    """One that hangs on a single word and on London, and one that says it eight times over and looks at no place."""
    texts = [f"rotten {FILLER} {n}" for n in range(10)] + [f"{FILLER} {n}" for n in range(10)]
    sturdy = [f"{'rotten ' * 8}{FILLER} {n}" for n in range(10)] + [f"{FILLER} {n}" for n in range(10)]
    labels = [1] * 10 + [0] * 10
    weak = bag({"rotten": 2.0, "london": 1.0}, others=FILLER, bias=-2.5, size=40)
    strong = bag({"rotten": 2.0}, others=FILLER, bias=-2.5, size=40)
    return subject_of(weak, texts, labels), subject_of(strong, sturdy, labels)


def test_a_planted_word_moves_the_curve_and_a_sturdy_classifier_keeps_it(planted: tuple[Subject, Subject]) -> None:
    weak, strong = (measure("robustness.text_edits", subject, **QUICK) for subject in planted)
    assert weak.metric("robustness.text_clean_accuracy").value == strong.metric("robustness.text_clean_accuracy").value == 1.0
    assert weak.metric("robustness.text_accuracy", edits="all", budget=0.05).value == 0.5
    assert strong.metric("robustness.text_accuracy", edits="all", budget=0.05).value == 1.0
    curve = [strong.metric("robustness.text_accuracy", edits="all", budget=b).value or 0.0 for b in (0.05, 0.1, 0.15, 0.2, 0.3)]
    # Seven of the eight words must go, of 18 words: at 30 % of them, five may.
    assert curve == [1.0] * 5
    assert {metric.bound for metric in weak.metrics if metric.value is not None} == {"upper"}


def test_the_curve_falls_and_no_kind_alone_does_more_than_all_together(planted: tuple[Subject, Subject]) -> None:
    evidence = measure("robustness.text_edits", planted[0], **QUICK)
    (figure,) = evidence.figures
    assert list(figure.series[0].y) == sorted(figure.series[0].y, reverse=True)
    assert len(figure.series[0].x) == 6
    every = evidence.metric("robustness.text_accuracy", edits="all", budget=0.3).value
    alone = [m.value for m in evidence.metrics if m.where.get("edits") not in (None, "all")]
    # Nothing of an English text is Chinese, and that is no sign of strength.
    assert alone.count(None) == 1
    assert evidence.metric("robustness.text_accuracy", edits="chinese").value is None
    measured = [m.value for m in evidence.metrics if m.where.get("edits") not in (None, "all", "deletion") and m.value is not None]
    assert len(measured) == 3
    assert every is not None
    assert min(measured) >= every


def test_leaving_out_the_word_that_says_it_is_counted_apart(bag: Callable[..., Classifier], subject_of: SubjectOf) -> None:
    # A number is written in no other way, and what is put in beside it is nothing to this reader.
    subject = subject_of(bag({"7": 4.0}, others=FILLER, bias=-2.0, size=40), [f"7 {FILLER}"] * 4 + [FILLER] * 4, [1] * 4 + [0] * 4)
    evidence = measure("robustness.text_edits", subject, **QUICK, budgets=(0.2,))
    # Of the texts of the event none stays without its word, and all stay under what leaves their words in.
    assert evidence.metric("robustness.text_accuracy", edits="deletion", budget=0.2).value == 0.5
    assert evidence.metric("robustness.text_accuracy", edits="all", budget=0.2).value == 1.0


def test_a_table_adds_substitution_and_stands_in_the_record(planted: tuple[Subject, Subject]) -> None:
    evidence = measure("robustness.text_edits", planted[0], **QUICK, table={"rotten": ["rotting"]})
    assert evidence.metric("robustness.text_accuracy", edits="substitution", budget=0.3).value is not None
    assert canonical_json(as_record(evidence.parameters))
    assert evidence.parameters["rows"] == 20


def test_examples_are_of_single_cases_and_arrays_name_their_rows(planted: tuple[Subject, Subject]) -> None:
    for check in ("robustness.text_edits", "robustness.invariance"):
        evidence = measure(check, planted[0], limit=12)
        examples = next(table for table in evidence.tables if table.name == "examples")
        assert examples.single
        assert all(len(row) == len(examples.columns) for row in examples.rows)
        assert {len(array) for array in evidence.arrays.values()} == {12}
        assert set(evidence.arrays["ids"]) <= set(planted[0].test.ids)


def test_the_threshold_of_the_decision_is_what_is_attacked(planted: tuple[Subject, Subject]) -> None:
    subject = Subject(planted[0].test, classifier=planted[0].model, decision=Decision(0.1))
    # At 0.1 every text is taken for the event, since a place alone is enough.
    assert measure("robustness.text_edits", subject, queries=20).metric("robustness.text_clean_accuracy").value == 0.5


def test_names_that_decide_are_found_out_and_others_are_not(bag: Callable[..., Classifier], subject_of: SubjectOf) -> None:
    texts = [f"we were in {place} and day {n} was {mood}" for n in range(10) for place in ("london", "rome") for mood in ("good", "bad")]
    labels = [0, 1] * 20
    words = "we were in day and was good rome london berlin not"
    by_place = bag({"bad": 1.0, "london": 2.0}, others=words)
    by_mood = bag({"bad": 2.0}, others=words)
    hangs, free = (measure("robustness.invariance", subject_of(c, texts, labels), count=16) for c in (by_place, by_mood))
    assert hangs.metric("robustness.invariance", test="names").value == 0.5
    assert free.metric("robustness.invariance", test="names").value == 1.0
    assert free.metric("robustness.invariance", test="numbers").reason
    assert free.metric("robustness.negation_unchanged", test="negation").value == 1.0


@pytest.mark.parametrize("check", ["robustness.text_edits", "robustness.invariance"])
def test_a_check_gives_its_metrics_and_the_same_for_the_same_seed(check: str, planted: tuple[Subject, Subject]) -> None:
    first, again = (measure(check, planted[0], limit=8) for _ in range(2))
    assert first.metrics == again.metrics
    assert first.tables == again.tables
    assert all(torch.equal(torch.as_tensor(first.arrays[name]), torch.as_tensor(again.arrays[name])) for name in first.arrays)
    assert {metric.name for metric in first.metrics} == set(make_check(check, {}).metrics)


@pytest.mark.parametrize("check", ["robustness.text_edits", "robustness.invariance"])
def test_other_inputs_than_texts_are_refused_with_the_reason(check: str, credit_subject: Subject) -> None:
    with pytest.raises(NotApplicableError, match="changes the words of texts, and the inputs are of the modality 'tabular'"):
        measure(check, credit_subject)


@pytest.mark.parametrize(
    ("check", "options", "message"),
    [
        ("robustness.text_edits", {"budgets": ()}, "it takes a budget"),
        ("robustness.text_edits", {"budgets": (0.1, 2)}, "budget must be a share"),
        ("robustness.invariance", {"least": 0}, "must be at least 1, got 5, 0 and 2000"),
    ],
    ids=["none", "above", "least"],
)
def test_options_that_cannot_be_are_refused(check: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_check(check, options)


def test_every_kind_note_and_column_of_the_evidence_has_its_words(planted: tuple[Subject, Subject]) -> None:
    catalogue = read_catalogue()
    for check in ("robustness.text_edits", "robustness.invariance"):
        evidence = measure(check, planted[0], limit=8)
        assert all(f"note.{note}" in catalogue for note in evidence.notes)
        for table in evidence.tables:
            assert all(f"table.{check}.{table.name}.columns.{column}" in catalogue for column in table.columns)
        for metric in evidence.metrics:
            for key, value in metric.where.items():
                assert f"where.{key}" in catalogue
                assert key == "budget" or f"where_value.{key}.{value}" in catalogue
