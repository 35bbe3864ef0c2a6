from hypothesis import example, given, settings
from hypothesis import strategies as st

from classifier.tokenizer import (
    MASK,
    PADDING,
    REPLACEMENT,
    SPECIAL,
    UNKNOWN,
    VocabularyTokenizer,
    build_vocabulary,
    join_tokens,
    split_tokens,
)  # fmt: skip


def test_an_ideograph_is_a_token_and_a_run_of_letters_and_digits_a_word():
    assert split_tokens("KTV在25楼，很好！") == ["ktv", "在", "25", "楼", ",", "很", "好", "!"]
    assert split_tokens("The mp3 player isn't bad") == ["the", "mp3", "player", "isn", "'", "t", "bad"]
    assert split_tokens("すしは Straße") == ["す", "し", "は", "straße"]


def test_forms_that_mean_the_same_are_one_token():
    assert split_tokens("ＡＢＣ １２") == split_tokens("abc 12")
    assert split_tokens("cafe\u0301") == split_tokens("café") == ["café"]


def test_an_emoji_survives_with_what_belongs_to_it():
    assert split_tokens("好👍🏽差👨‍👩‍👧❤️") == ["好", "👍🏽", "差", "👨‍👩‍👧", "❤️"]
    assert split_tokens("👍👍") == ["👍", "👍"]


def test_marks_do_not_break_the_words_of_scripts_that_need_them():
    assert split_tokens("हिन्दी भाषा") == ["हिन्दी", "भाषा"]


def test_what_cannot_be_seen_is_no_token():
    assert split_tokens(" \t\n\u200b\ufeff\x00\ud800") == []


@settings(max_examples=300, deadline=None)
@example("a \u0301")
@example("👍\u200d 好")
@example("ΑΣ Σ")
@given(st.text(max_size=30))
def test_a_text_made_of_tokens_has_these_very_tokens(text: str):
    tokens = split_tokens(text)
    assert split_tokens(join_tokens(tokens)) == tokens


def test_the_vocabulary_is_ordered_by_frequency_then_code_point_and_leaves_out_what_occurs_once():
    texts = [["b", "a", "c"], ["a", "b", "once"], ["a", "c"], [REPLACEMENT, REPLACEMENT]]
    assert build_vocabulary(texts) == (*SPECIAL, "a", "b", "c")
    assert build_vocabulary(reversed(texts)) == build_vocabulary(texts)


def test_a_token_outside_the_vocabulary_is_the_unknown_one_and_is_written_so():
    tokenizer = VocabularyTokenizer((*SPECIAL, "好", "书"))
    assert tokenizer.encode(["好书坏书"]) == [[3, 4, tokenizer.unknown, 4]]
    assert tokenizer.encode(["好书坏书"], 2) == [[3, 4]]
    assert tokenizer.decode([3, 4, tokenizer.unknown, tokenizer.padding]) == f"好书{REPLACEMENT}"
    assert [tokenizer.token(number) for number in (tokenizer.padding, tokenizer.unknown, tokenizer.mask)] == [PADDING, UNKNOWN, MASK]


def test_words_in_brackets_are_not_mistaken_for_the_special_tokens():
    tokenizer = VocabularyTokenizer((*SPECIAL, "mask", "(", ")"))
    assert tokenizer.encode([MASK]) == [[4, 3, 5]]
