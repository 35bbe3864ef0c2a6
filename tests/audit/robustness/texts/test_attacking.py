from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from audit.robustness.texts import attack_texts
from audit.robustness.texts.known_answers import measure_known_answers
from audit.robustness.texts.strings import encoded, strings_of
from audit.robustness.texts.words import Words
from classifier import Classifier, Feature, Schema
from classifier.errors import AssayError, ConfigurationError, DataError, NotApplicableError
from classifier.seeds import Seed
from classifier.statistics import wilson

WEIGHTS = {"bad": 1.0, "awful": 2.0, "rotten": 3.0, "fine": -1.0, "lovely": -2.0}
NEUTRAL = "the room was big and near of , ."
FILLER = " the room was near"


def falls_at(weights: list[float]) -> int:
    """How many words must be left out, the heaviest first, until the logit of the event is below 0."""
    left = sorted(weights, reverse=True)
    return next(count for count in range(len(left) + 1) if sum(left[count:]) - 0.5 < 0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["bad", "awful", "rotten"]), min_size=1, max_size=4))
def test_deletion_needs_exactly_the_words_that_a_bag_of_words_hangs_on(bag: Callable[..., Classifier], words: list[str]) -> None:
    text = " ".join(words) + FILLER
    result = attack_texts(bag(WEIGHTS, others=NEUTRAL), [text], [1], edits=("deletion",), budget=len(words))
    assert result.changed_words.tolist() == [falls_at([WEIGHTS[word] for word in words])]
    assert not result.robust.any()
    assert result.closest[0] < 0


def test_a_classifier_that_ignores_its_text_never_falls_and_one_keyword_falls_always(bag: Callable[..., Classifier]) -> None:
    texts = [f"the room was rotten {n}" for n in range(6)]
    still = attack_texts(bag({"rotten": 0.0}, others=NEUTRAL), texts, [0] * 6, budget=1.0)
    gone = attack_texts(bag({"rotten": 3.0}, others=NEUTRAL), texts, [1] * 6, edits=("letter_swap",), budget=1)
    assert (still.robust_accuracy.value, gone.robust_accuracy.value) == (1.0, 0.0)
    assert still.adversarial == tuple(texts)
    assert gone.robust_accuracy.bound == "upper"
    assert (gone.robust_accuracy.low, gone.robust_accuracy.high) == pytest.approx(wilson(0, 6))


def test_an_answer_too_firm_for_the_precision_is_attacked_blindly_and_said_to_be_flat(bag: Callable[..., Classifier]) -> None:
    # Of eight words each alone makes the probability 1 in single precision: leaving one out moves nothing.
    classifier = bag({"rotten": 40.0}, others=NEUTRAL)
    few, all_ = (attack_texts(classifier, ["rotten " * 8], [1], edits=("deletion", "characters"), budget=b) for b in (4, 8))
    assert few.flat.tolist() == few.robust.tolist() == [True]
    assert all_.changed_words.tolist() == [8]
    # Two words of 6 are left of eight, which move the answer again.
    moved = attack_texts(bag({"rotten": 6.0}, others=NEUTRAL), ["rotten " * 8], [1], edits=("deletion",), budget=6)
    assert moved.robust.tolist() == [True]
    assert not moved.flat.any()
    assert not all_.flat.any()
    assert not attack_texts(bag(WEIGHTS, others=NEUTRAL), ["bad bad bad room"], [1], budget=1).flat.any()


def test_what_is_found_is_read_and_decided_otherwise_within_the_budget_and_the_queries(bag: Callable[..., Classifier]) -> None:
    classifier = bag(WEIGHTS, others=NEUTRAL)
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice([*WEIGHTS, "room", "was", "big"], 12)) for _ in range(40)]
    labels = classifier.predict(encoded(classifier.schema, texts))
    result = attack_texts(classifier, texts, labels, budget=0.25, queries=40)
    again = classifier.predict(encoded(classifier.schema, result.adversarial)) == labels
    assert torch.equal(again, result.robust)
    assert 0 < int(result.robust.sum()) < 40
    assert result.changed_words.max() <= 3
    assert result.queries.max() <= 40
    for text, other, robust, edits, changed in zip(
        texts, result.adversarial, result.robust, result.edits, result.changed_words, strict=True
    ):
        assert (text == other) == bool(robust)
        assert len(edits) == int(changed)


def test_a_smaller_budget_is_the_same_search_stopped_earlier(bag: Callable[..., Classifier]) -> None:
    classifier = bag(WEIGHTS, others=NEUTRAL)
    texts = [f"bad awful rotten the room was {word} {n}" for n in range(4) for word in ("bad", "awful", "lovely")]
    wide = attack_texts(classifier, texts, [1] * 12, budget=1.0)
    counts = []
    for budget in (1, 2, 3, 0.1, 0.3, 0.5):
        assert torch.equal(wide.within(budget), attack_texts(classifier, texts, [1] * 12, budget=budget).robust)
        counts.append(int(wide.within(budget).sum()))
    assert counts[0] > counts[2]
    assert counts[:3] == sorted(counts[:3], reverse=True)


def test_each_text_is_attacked_alike_alone_in_another_order_and_in_other_company(bag: Callable[..., Classifier]) -> None:
    classifier = bag(WEIGHTS, others=NEUTRAL)
    texts = [f"rotten {'awful ' * (n % 3)}the room was near number {n}" for n in range(130)]
    whole = attack_texts(classifier, texts, [1] * 130, budget=3, tries=1, seed=3)
    order = list(reversed(range(130)))
    turned = attack_texts(classifier, [texts[i] for i in order], [1] * 130, budget=3, tries=1, seed=3)
    alone = attack_texts(classifier, [texts[7]], [1], budget=3, tries=1, seed=3)
    assert tuple(turned.adversarial[order.index(i)] for i in range(130)) == whole.adversarial
    assert alone.adversarial == whole.adversarial[7:8]
    assert alone.queries[0] == whole.queries[7]


def test_a_change_that_normalisation_undoes_costs_no_query_and_is_none(bag: Callable[..., Classifier]) -> None:
    asked: list[int] = []
    classifier = bag({"q": 3.0}, others=NEUTRAL, asked=asked)
    asked.clear()
    # Of a text of one word, the full-width letter is all that a look-alike could be, besides a Cyrillic and an Armenian one.
    result = attack_texts(classifier, ["q"], [1], edits=("homoglyphs",), tries=9)
    assert result.adversarial[0] in ("ԛ", "զ")
    assert sum(asked) == int(result.queries[0]) == 2
    blank = attack_texts(bag({"好": 3.0}), ["好"], [1], edits=("neutral_insertion",), tries=9)
    assert blank.adversarial[0] not in ("好 ", "好\u200b")


def test_every_query_is_counted_and_the_search_stops_at_its_budget_of_them(bag: Callable[..., Classifier]) -> None:
    asked: list[int] = []
    classifier = bag({"rotten": 50.0}, others=NEUTRAL, asked=asked)
    for queries in (2, 5, 17, 60):
        asked.clear()
        result = attack_texts(classifier, ["rotten " * 9 + FILLER], [1], budget=1.0, queries=queries)
        assert sum(asked) == int(result.queries[0]) <= queries


def test_a_table_substitutes_words_and_phrases(bag: Callable[..., Classifier]) -> None:
    classifier = bag({"rotten": 3.0, "fine": -3.0}, others=NEUTRAL)
    table = {"rotten": ("rotting",), "the room": ("this room", "fine room")}
    result = attack_texts(classifier, ["The room was rotten"], [1], edits=("substitution",), table=table, budget=1)
    assert result.adversarial == ("The room was rotting",)
    assert result.words.tolist() == [3]
    phrase = attack_texts(classifier, ["the room was rotten"], [1], table={"the room": ("fine fine room",)}, edits=("word_substitution",))
    assert phrase.adversarial == ("fine fine room was rotten",)
    with pytest.raises(ConfigurationError, match="substitution needs a table"):
        attack_texts(classifier, ["rotten"], [1], edits=("substitution",))


def test_chinese_falls_to_characters_that_look_or_sound_alike(bag: Callable[..., Classifier]) -> None:
    classifier = bag({"坏": 3.0}, others="房 间 很 。")
    for edit, least in (("shape_alikes", 1), ("chinese", 1), ("word_deletion", 1)):
        result = attack_texts(classifier, ["房间很坏。"], [1], edits=(edit,))
        assert result.changed_words.tolist() == result.changed_characters.tolist() == [least]
        assert set(result.edits[0]) <= {"shape_alikes", "sound_alikes", "word_deletion"}


@pytest.mark.parametrize("threshold", [0.4, 0.5, 0.9])
def test_what_is_decided_at_the_threshold_is_what_is_attacked(bag: Callable[..., Classifier], threshold: float) -> None:
    classifier = bag({"rotten": 1.0}, others=NEUTRAL)
    texts = ["rotten " * n + "room" for n in range(8)]
    presumed = [int(1 / (1 + math.exp(-(n - 0.5))) >= threshold) for n in range(8)]
    result = attack_texts(classifier, texts, presumed, edits=("deletion",), budget=8, threshold=threshold)
    assert result.clean_accuracy.value == 1.0
    # Leaving words out turns every event, and no other decision.
    assert result.robust.tolist() == [not event for event in presumed]
    cut = next(n for n in range(8) if presumed[n])
    assert result.changed_words.tolist() == [max(0, n - cut + 1) for n in range(8)]


def test_a_text_wrong_from_the_start_is_left_alone_and_counts(bag: Callable[..., Classifier]) -> None:
    result = attack_texts(bag(WEIGHTS, others=NEUTRAL), ["rotten room", "rotten room"], [0, 1])
    assert (int(result.queries[0]), result.adversarial[0]) == (1, "rotten room")
    assert (result.clean_accuracy.value, result.robust_accuracy.value, result.robust_accuracy.n) == (0.5, 0.0, 2)


def test_encoded_texts_are_written_out_and_those_not_read_alike_are_left_out(bag: Callable[..., Classifier]) -> None:
    classifier = bag(WEIGHTS, others=NEUTRAL)
    x = encoded(classifier.schema, ["Rotten unheard room!", "the bad, big room"])
    # Padding between tokens is no text that anybody could write.
    odd = torch.cat([x, x[:1].roll(1, 1)])
    strings, same = strings_of(classifier.schema, odd)
    assert strings[0] == "rotten�room�"
    assert same.tolist() == [True, True, False]
    assert torch.equal(encoded(classifier.schema, strings[:2]), x)
    result = attack_texts(classifier, odd, torch.tensor([1, 1, 1]))
    assert (result.robust_accuracy.n, int(result.queries[2]), result.adversarial[2]) == (2, 0, strings[2])
    nothing = attack_texts(classifier, odd[2:], [1])
    assert str(nothing.robust_accuracy) == "not measured: none of the texts can be written out and read alike"


def test_every_number_of_classes_and_a_text_without_words_run(bag: Callable[..., Classifier]) -> None:
    texts = ["rotten room was big", "big room", "。", "rotten"]
    for classes in (2, 3, 10):
        result = attack_texts(
            bag({"rotten": 8.0}, others=NEUTRAL, bias=-4.0, classes=classes), texts, [classes - 1, 0, 0, classes - 1], budget=1.0
        )
        assert result.clean_accuracy.value == 1.0
        assert result.words.tolist() == [4, 2, 0, 1]
        assert result.robust[[0, 2, 3]].tolist() == [False, True, False]


def test_the_known_answers_hold_and_are_of_this_room() -> None:
    for answer in measure_known_answers(Seed(5)):
        assert answer.holds, answer
        assert answer.id.startswith("robustness.text_")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"texts": []}, DataError, "needs rows and a label for each, got 0"),
        ({"texts": "rotten room"}, DataError, "needs rows and a label for each, got 11"),
        ({"texts": ["rotten", 3]}, DataError, "list of strings, or encoded texts, got a int"),
        ({"labels": [1]}, DataError, r"got 2 rows and labels of the shape \(1,\)"),
        ({"labels": [1, 2]}, DataError, "labels must lie in 0 to 1, got 1 to 2"),
        ({"edits": ("homoglyph",)}, ConfigurationError, "no edit 'homoglyph'; did you mean 'homoglyphs'"),
        ({"edits": "deletion"}, ConfigurationError, "edits must be a list"),
        ({"budget": 0.0}, ConfigurationError, "budget must be"),
        ({"queries": 1}, ConfigurationError, "queries must be at least 2"),
        ({"threshold": 1.0}, ConfigurationError, "threshold must lie between"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_by_name(
    bag: Callable[..., Classifier], change: dict[str, Any], error: type[AssayError], message: str
) -> None:
    given = {"texts": ["rotten", "room"], "labels": [1, 0], **change}
    with pytest.raises(error, match=message):
        attack_texts(bag(WEIGHTS, others=NEUTRAL), **given)


class First(nn.Module):
    """Looks a text's first token up."""

    def __init__(self, layer: nn.Embedding) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.layer(x[:, 0])
        return answer


def test_a_classifier_of_a_table_and_one_that_answers_nothing_are_refused(
    bag: Callable[..., Classifier], linear_classifier: Classifier
) -> None:
    with pytest.raises(NotApplicableError, match="changes the words of texts, and the inputs are of the modality 'tabular'"):
        attack_texts(linear_classifier, ["a"], [0])
    schema = Schema(
        "text", (Feature("text", "text", categories=("(padding)", "(unknown)", "(mask)", "a", "b"), low=0.0, high=4.0),), size=(4,)
    )
    layer = nn.Embedding(5, 2)
    layer.weight.data = torch.tensor([[0.0, 1.0]] * 4 + [[torch.nan, 0.0]])
    broken = Classifier.wrap(First(layer), schema=schema, classes=["n", "y"])
    with pytest.raises(DataError, match="not finite"):
        attack_texts(broken, ["b a"], [1])


def test_words_that_the_vocabulary_does_not_know_are_no_words_to_change() -> None:
    assert Words.of("rotten � room").words == ("rotten", "room")


def test_subwords_are_attacked_as_strings_and_what_their_tokenizer_cannot_write_out_is_left_out() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra text")
    numbers = {token: number for number, token in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "bad", "room", "##s", "a"))}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    schema = Schema("text", (Feature("text", "text", tokenizer=tokenizer.to_str(), low=0.0, high=7.0),), size=(8,))

    def probabilities(x: Tensor) -> Tensor:
        event = (x == 4).any(1).float() * 0.8 + 0.1
        return torch.stack([1 - event, event], 1)

    classifier = Classifier.wrap(probabilities, schema=schema, classes=["n", "y"])
    texts = ["a bad room", "bad rooms", "a room", "bad hotel"]
    x = encoded(schema, texts)
    strings, same = strings_of(schema, x)
    assert same.tolist() == [True, True, True, False]
    assert strings[:3] == tuple(texts[:3])
    result = attack_texts(classifier, x, [1, 1, 0, 1], edits=("deletion",), budget=1)
    assert result.adversarial[:2] == ("a room", " rooms")
    assert result.robust.tolist() == [False, False, True, False]
    assert attack_texts(classifier, ["bad"], [1], edits=("homoglyphs",), tries=9).adversarial[0] != "bad"


def test_a_probability_at_the_threshold_is_the_event(bag: Callable[..., Classifier]) -> None:
    result = attack_texts(bag({"rotten": 0.0}, bias=0.0), ["rotten", "rotten"], [1, 0])
    assert result.robust.tolist() == [True, False]
