"""Naming: the owner's words wherever a name stands, places and units in the reader's language, and no word for nothing."""

from __future__ import annotations

import pytest
from cases import cases

from classifier import Feature, Schema
from classifier.errors import ConfigurationError
from explain.counterfactual.wording import Language
from explain.sheet.naming import Names, OwnersWords

TABLE = Schema(
    "tabular",
    (
        Feature("months", "integer", 0.0, 72.0, unit="months"),
        Feature("amount", "continuous", 0.0, 9000.0, unit="DM"),
        Feature("purpose", "categorical", categories=("car", "radio")),
    ),
)
WORDS = OwnersWords({"amount": "金额", "DM": "马克", "car": "汽车"})


@pytest.mark.parametrize(("said", "called"), [("5,234 DM", "5,234 马克"), ("11 months", "11 months"), ("car", "汽车"), ("radio", "radio")])
def test_units_and_categories_are_told_in_the_owners_words(said: str, called: str) -> None:
    assert Names(TABLE, "zh-CN", WORDS).of_value(said) == called


@pytest.mark.parametrize(
    ("modality", "language", "part", "called"),
    [
        ("image", "zh-CN", "rows 3 to 4, column 2", "第 3 至 4 行第 2 列"),
        ("image", "en", "rows 3 to 4, column 2", "rows 3 to 4, column 2"),
        ("text", "zh-CN", "token 23", "第 23 个词元"),
        ("graph", "zh-CN", "node 16", "第 16 个节点"),
    ],
)
def test_places_are_told_in_the_readers_language(modality: str, language: Language, part: str, called: str) -> None:
    assert Names(cases(modality, 2).schema, language, OwnersWords()).of_part(part) == called


def test_the_variables_of_a_series_are_called_as_the_owner_does() -> None:
    schema = Schema("sequence", (Feature("tilt", "continuous", 0.0, 1.0, unit="g"), Feature("turn", "continuous", 0.0, 1.0)), size=(40,))
    names = Names(schema, "zh-CN", OwnersWords({"tilt": "倾角"}))
    assert names.of_part("tilt, steps 31 to 35") == "倾角第 31 至 35 步"
    assert names.of_value("not observed") == "未观测"


def test_the_tokens_of_a_text_stay_the_persons_own_words() -> None:
    schema = cases("text", 2).schema
    assert Names(schema, "en", OwnersWords({"good": "granted"})).of_value("good") == "good"


@pytest.mark.parametrize(
    ("words", "problem", "remedy"),
    [
        (OwnersWords(names={"amuont": "the amount"}), "a name for 'amuont', which is no class", "did you mean 'amount'"),
        (OwnersWords(reasons={"montsh": "long"}), "a text for 'montsh', which is no feature", "did you mean 'months'"),
    ],
)
def test_a_word_for_what_there_is_not_is_refused_with_the_nearest(words: OwnersWords, problem: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as refusal:
        words.require_known(TABLE, ("good", "bad"))
    assert remedy in refusal.value.remedy


def test_classes_features_categories_and_units_have_names() -> None:
    OwnersWords(names=dict.fromkeys(("good", "amount", "car", "DM"), "x"), reasons={"amount": "y"}).require_known(TABLE, ("good", "bad"))
