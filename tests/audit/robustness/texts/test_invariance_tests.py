from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from audit.robustness.texts import measure_invariance
from audit.robustness.texts.rewriting import REWRITINGS
from classifier import Classifier
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.statistics import wilson

PLACES = ("london", "paris", "berlin", "rome")


def variants(name: str, text: str, count: int = 30) -> list[str]:
    return REWRITINGS[name]().variants(text, count, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("London and londoner", " and londoner"),
        ("在北京的酒店", "酒店"),
        ("王经理很好", "经理很好"),
        ("张伟先生", "先生"),
    ],
    ids=["english", "chinese", "title", "person"],
)
def test_a_name_becomes_another_of_its_kind_and_nothing_else_changes(text: str, changed: str) -> None:
    made = variants("names", text)
    assert len(made) >= 13
    assert text not in made
    assert all(changed in variant for variant in made)


def test_a_name_is_changed_alike_wherever_it_stands_and_keeps_its_capital() -> None:
    for variant in variants("names", "Paris is not like paris"):
        first, *_, last = variant.split()
        assert first[0].isupper()
        assert first.lower() == last
    assert variants("names", "a sarahs paristown") == []


def test_a_number_gets_another_last_digit_and_part_of_a_name_gets_none() -> None:
    assert sorted(variants("numbers", "25楼")) == [f"2{digit}楼" for digit in "012346789"]
    assert "0 nights" not in variants("numbers", "3 nights")
    assert len(variants("numbers", "3 nights")) == 8
    assert variants("numbers", "the MP3 player") == []


@pytest.mark.parametrize(
    "text", ["5 stars", "a 4-star hotel", "4 out of 5", "1 of 5", "4/5", "9 / 10", "5星", "4 颗星", "8分", "2、价格", "5 STARS"]
)
def test_a_rating_and_the_number_of_a_point_stay(text: str) -> None:
    assert variants("numbers", text) == []


@pytest.mark.parametrize("text", ["5 starters", "8分钟", "3 nights of rain", "25楼"])
def test_other_numbers_do_not(text: str) -> None:
    assert variants("numbers", text)


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("The room was big and is clean", "The room was not big and is not clean"),
        ("Is it good?", "Is not it good?"),
        ("it was never good, it isn't", None),
        ("酒店很好", "酒店不好"),
        ("房间不是很好,但是会来", "房间不是不好,但是不会来"),
        ("真是好", "不是好"),
        ("没有机会", None),
    ],
    ids=["english", "capital", "negated", "chinese", "parts", "adjacent", "no_verb"],
)
def test_what_is_said_is_negated_once_and_what_is_negated_already_is_left(text: str, negated: str | None) -> None:
    assert variants("negation", text) == ([] if negated is None else [negated])


def test_a_classifier_that_hangs_on_a_name_is_found_out_and_one_that_does_not_is_not(bag: Callable[..., Classifier]) -> None:
    texts = [f"in {place} we were happy {n}" for n in range(10) for place in PLACES]
    hangs = measure_invariance(bag({"london": 2.0}, others=" ".join(PLACES)), texts, "names", count=16)
    free = measure_invariance(bag({"happy": 2.0}, others=" ".join(PLACES)), texts, "names", count=16)
    assert (hangs.unchanged.value, free.unchanged.value) == (0.0, 1.0)
    assert (free.unchanged.low, free.unchanged.high) == pytest.approx(wilson(40, 40))
    assert free.unchanged.bound == "upper"
    assert all(("london" in text) != ("london" in variant) for text, variant in zip(hangs.texts, hangs.variants, strict=True))


def test_only_texts_that_hold_it_where_the_classifier_reads_it_count(bag: Callable[..., Classifier]) -> None:
    classifier = bag({"happy": 2.0}, others="london in we were", size=4)
    texts = ["in london we were"] * 31 + ["we were happy"] * 5 + ["we were in we london"] * 7
    result = measure_invariance(classifier, texts, "names")
    assert int(result.found.sum()) == 38
    assert (result.unchanged.n, int(result.tested.sum())) == (31, 31)


def test_under_the_least_number_of_texts_nothing_is_said(bag: Callable[..., Classifier]) -> None:
    classifier = bag({"london": 2.0}, others="in")
    result = measure_invariance(classifier, ["in london"] * 29, "names")
    assert str(result.unchanged) == (
        "not measured: 29 texts hold what the test of names rewrites and are then read otherwise, at least 30 are needed"
    )
    assert int(result.turned.sum()) == 29


def test_a_negation_leaves_a_classifier_as_it_is_that_does_not_read_it(bag: Callable[..., Classifier]) -> None:
    texts = [f"it was good {n}" for n in range(30)]
    deaf = measure_invariance(bag({"good": 2.0}, others="not was it"), texts, "negation")
    hears = measure_invariance(bag({"good": 2.0, "not": -4.0}, others="was it"), texts, "negation")
    assert (deaf.unchanged.name, deaf.unchanged.value, hears.unchanged.value) == ("robustness.negation_unchanged", 1.0, 0.0)
    assert (deaf.unchanged.bound, deaf.unchanged.better, deaf.should_stay) == ("estimate", "neither", False)


def test_a_text_gets_the_same_variants_alone_and_in_other_company(bag: Callable[..., Classifier]) -> None:
    classifier = bag({"paris": 2.0}, others=" ".join(PLACES))
    texts = [f"in {PLACES[n % 4]} at {n}" for n in range(600)]
    whole = measure_invariance(classifier, texts, "names", count=1)
    back = measure_invariance(classifier, texts[::-1], "names", count=1)
    assert back.variants[::-1] == whole.variants
    assert torch.equal(back.turned.flip(0), whole.turned)
    assert measure_invariance(classifier, texts, "names", count=1, seed=1).variants != whole.variants


def test_the_decision_at_the_threshold_is_what_counts(bag: Callable[..., Classifier]) -> None:
    classifier = bag({"london": 1.0}, others="in")
    texts = ["in london"] * 30
    # The event has 0.62 with London and 0.38 without.
    shares = [measure_invariance(classifier, texts, "names", threshold=t).unchanged.value for t in (0.3, 0.5, 0.7)]
    assert shares == [1.0, 0.0, 1.0]


def test_what_cannot_be_is_refused_by_name(bag: Callable[..., Classifier], linear_classifier: Classifier) -> None:
    classifier = bag({"good": 1.0})
    with pytest.raises(ConfigurationError, match="there is no rewriting 'name'; did you mean 'names'"):
        measure_invariance(classifier, ["good"], "name")
    with pytest.raises(DataError, match="needs at least one text"):
        measure_invariance(classifier, [], "names")
    with pytest.raises(ConfigurationError, match="count and least must be at least 1, got 0 and 30"):
        measure_invariance(classifier, ["good"], "names", count=0)
    with pytest.raises(NotApplicableError, match="modality 'tabular'"):
        measure_invariance(linear_classifier, ["good"], "names")
