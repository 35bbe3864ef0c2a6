from __future__ import annotations

import tomllib
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.robustness.texts import tables
from audit.robustness.texts.budgets import allowance, require_budget
from audit.robustness.texts.distance import edit_distance
from audit.robustness.texts.edit import EDITS
from audit.robustness.texts.partners import partners_in
from audit.robustness.texts.reading import read_table
from audit.robustness.texts.words import Words
from classifier.errors import ConfigurationError
from classifier.tokenizer import split_tokens

WORDS = ("terrible", "Service", "好", "在", "酒店", "room", "42", "naïve", "a", "not")
# Where each letter edit may reach: an inserted, deleted or replaced letter is 1, two swapped ones are 2.
LETTERS = {
    "letter_deletion": 1,
    "letter_swap": 2,
    "letter_repetition": 1,
    "neighbour_key": 1,
    "word_splitting": 1,
    "sound_alikes": 1,
    "shape_alikes": 1,
}
TEXTS = st.text(st.sampled_from("ab Z9好店。,-'\u200b\u0301é\n�"), max_size=30)


@given(TEXTS)
def test_a_text_taken_apart_and_joined_is_the_same_text(text: str) -> None:
    words = Words.of(text)
    assert words.joined() == text
    assert len(words.between) == len(words.words) + 1
    assert words.joined({0: words.words[0]} if words.words else {}) == text


@given(TEXTS)
def test_words_are_the_tokens_of_letters_and_digits(text: str) -> None:
    tokens = [token for token in split_tokens(text) if unicodedata.category(token[0])[0] in "LN"]
    assert [part for word in Words.of(text).words for part in split_tokens(word)] == tokens


def test_a_phrase_that_is_named_is_one_word_and_never_part_of_another() -> None:
    assert Words.of("New York, not new yorkers; 这家酒店", ("new york", "酒店")).words == (
        "New York",
        "not",
        "new",
        "yorkers",
        "这",
        "家",
        "酒店",
    )


def test_a_word_left_out_takes_its_blank_along() -> None:
    assert Words.of("a bad room").joined({1: ""}) == "a room"
    assert Words.of("bad room").joined({0: ""}) == " room"


@pytest.mark.parametrize("name", EDITS.ids())
def test_no_edit_offers_the_word_itself_or_anything_twice(name: str) -> None:
    edit = EDITS[name](table={"room": ("chamber", "space")})
    for word in WORDS:
        offered = edit.alternatives(word)
        assert word not in offered
        assert len(set(offered)) == len(offered) or name in ("letter_repetition", "letter_deletion", "neighbour_key")
    assert any(edit.alternatives(word) for word in WORDS)


@pytest.mark.parametrize("name", sorted(LETTERS))
def test_an_edit_of_characters_changes_no_more_than_its_characters(name: str) -> None:
    for word in WORDS:
        for other in EDITS[name]().alternatives(word):
            assert 1 <= edit_distance(word, other) <= LETTERS[name]
            if name not in ("sound_alikes", "shape_alikes"):
                assert (word[0], word[-1]) == (other[0], other[-1])


def test_a_number_and_a_short_word_keep_their_letters() -> None:
    for name in ("letter_deletion", "letter_swap", "letter_repetition", "neighbour_key", "word_splitting"):
        assert not any(EDITS[name]().alternatives(word) for word in ("42", "2024", "the", "好", "酒店酒店"))


def test_a_negation_is_never_left_out() -> None:
    deletion = EDITS["word_deletion"]()
    assert [deletion.alternatives(word) for word in ("Not", "不", "room")] == [[], [], [""]]


def test_a_look_alike_is_another_letter_and_normalisation_undoes_only_the_full_width_ones() -> None:
    for letter, others in read_table("look_alikes")["letters"].items():
        for other in others:
            assert other != letter
            assert unicodedata.normalize("NFKC", other).lower() != letter.lower()
    undone = [other for other in EDITS["homoglyphs"]().alternatives("q") if unicodedata.normalize("NFKC", other) == "q"]
    assert undone == ["ｑ"]
    assert EDITS["homoglyphs"]().alternatives("aoe")[-1] == "аое"


@pytest.mark.parametrize("name", ["shape_alikes", "sound_alikes"])
def test_chinese_partners_are_ideographs_and_mutual(name: str) -> None:
    partners = partners_in(name)
    assert len(partners) > 450
    for character, others in partners.items():
        assert "CJK UNIFIED" in unicodedata.name(character)
        assert character not in others
        assert all(character in partners[other] for other in others)


def test_characters_of_one_sound_stand_under_one_syllable_only_once() -> None:
    for syllable, characters in read_table("sound_alikes")["groups"].items():
        assert syllable[-1] in "12345"
        assert len(set(characters)) == len(characters) > 1


def test_keys_are_neighbours_of_each_other() -> None:
    edit = EDITS["neighbour_key"]()
    beside = {key: {other[1] for other in edit.alternatives(f"x{key}yz") if len(other) == 4} - {key} for key in "qwertyuiopasdfghjkl"}
    assert beside["s"] == set("awedzx")
    for key, others in beside.items():
        assert all(key in beside[other] for other in others if other in beside)


def test_every_table_is_read_and_says_where_it_comes_from() -> None:
    for path in Path(tables.__file__).parent.glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# ")
        assert read_table(path.stem) == tomllib.loads(text)


@given(st.integers(1, 300), st.floats(0.01, 1.0))
def test_a_share_allows_at_least_a_word_and_never_more_than_the_share_beyond_that(words: int, budget: float) -> None:
    assert 1 <= allowance(words, budget) <= words
    assert allowance(words, budget) <= max(1.0, budget * words + 1e-6)
    assert allowance(100, 0.29) == 29


@pytest.mark.parametrize("budget", [0, -1, 0.0, 1.5, True])
def test_what_is_no_budget_is_refused(budget: float) -> None:
    with pytest.raises(ConfigurationError, match=r"budget must be a share"):
        require_budget(budget)


@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_the_distance_of_words_is_a_distance(a: str, b: str, c: str) -> None:
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a) <= edit_distance(a, c) + edit_distance(c, b)
    assert all(edit_distance(x, y) == 1 for x, y in pairwise(a[:n] for n in range(len(a) + 1)))
