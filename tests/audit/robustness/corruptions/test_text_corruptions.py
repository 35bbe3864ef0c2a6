from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.robustness.corruptions import SEVERITIES, corrupt
from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.row_draws import RowDraws
from audit.robustness.corruptions.texts._pieces import TextCorruption, pieces
from classifier import Dataset
from classifier.modalities.text import tokenizer_of
from classifier.modality import modality_of
from classifier.seeds import Seed

KINDS = [kind for kind in CORRUPTIONS["text"].ids() if kind != "wrong_case"]
SENTENCE = "The road was long, and we came home late; 天气很好."


def damaged(kind: str, letters: Dataset, text: str, severity: int, numbers: float | list[float]) -> str:
    corruption = CORRUPTIONS["text"][kind](letters.schema, letters.inputs)
    assert isinstance(corruption, TextCorruption)
    column = np.full((len(text), corruption.draws_each), numbers, dtype=np.float32)
    return corruption.damage(text, severity, column)


@settings(max_examples=50, deadline=None)
@given(st.text("ab1, .天カ\n\ufffd_é", max_size=20))
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@pytest.mark.parametrize("kind", KINDS)
def test_a_corrupted_text_is_a_text_and_the_more_so_the_severer(kind: str, letters: Dataset) -> None:
    shares = []
    for severity in SEVERITIES:
        y = corrupt(letters.inputs, letters.schema, kind=kind, severity=severity)
        assert modality_of(letters.schema).valid(y).all()
        shares.append(float((y != letters.inputs).float().mean()))
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1]


def test_words_and_ideographs_are_dropped_and_one_stays(letters: Dataset) -> None:
    assert damaged("dropped_words", letters, SENTENCE, 1, 0.9) == SENTENCE
    assert damaged("dropped_words", letters, "天气 road", 5, 0.0) == "天"
    numbers = RowDraws(torch.tensor([4]), Seed(0)).uniform("n", (12, 1))[0].numpy()
    corruption = CORRUPTIONS["text"]["dropped_words"](letters.schema, letters.inputs)
    assert isinstance(corruption, TextCorruption)
    left = [set(pieces(corruption.damage(SENTENCE, severity, numbers))) for severity in SEVERITIES]
    assert all(after <= before for before, after in pairwise(left))


def test_neighbouring_words_change_places_and_punctuation_stays(letters: Dataset) -> None:
    assert damaged("swapped_words", letters, "a, b c 天气", 5, 0.0) == "b, a 天 c气"
    assert damaged("swapped_words", letters, SENTENCE, 5, 0.9) == SENTENCE


@pytest.mark.parametrize(
    ("kind", "which", "expected"),
    [(0.1, 0.0, ""), (0.3, 0.0, "hT天e"), (0.6, 0.0, "Rgw天天"), (0.6, 0.9, "Yjr天天"), (0.9, 0.0, "TThhee天天")],
)
def test_letters_are_left_out_swapped_hit_beside_or_doubled(kind: float, which: float, expected: str, letters: Dataset) -> None:
    assert damaged("typing_errors", letters, "The天", 5, [0.0, kind, which]) == expected


def test_typing_errors_are_as_many_as_stated(letters: Dataset) -> None:
    numbers = RowDraws(torch.tensor([1]), Seed(3)).uniform("n", (20_000, 3))[0].numpy()
    numbers[:, 1:] = 0.99
    corruption = CORRUPTIONS["text"]["typing_errors"](letters.schema, letters.inputs)
    assert isinstance(corruption, TextCorruption)
    assert (len(corruption.damage("a" * 20_000, 4, numbers)) - 20_000) / 20_000 == pytest.approx(0.1, abs=0.01)


def test_capitals_are_refused_where_the_tokenizer_does_not_see_them(letters: Dataset) -> None:
    corruption = CORRUPTIONS["text"]["wrong_case"](letters.schema, letters.inputs)
    assert corruption.why_not() == "the tokenizer does not tell large letters from small"
    assert damaged("wrong_case", letters, "The ROAD 天", 5, 0.0) == "THE road 天"


def test_a_text_of_unknown_tokens_is_still_read(letters: Dataset) -> None:
    x = torch.full((3, *letters.schema.shape), tokenizer_of(letters.schema.features[0]).unknown)
    for kind in KINDS:
        assert modality_of(letters.schema).valid(corrupt(x, letters.schema, kind=kind, severity=5)).all()


def test_a_text_of_which_nothing_would_be_left_stays(letters: Dataset) -> None:
    x = letters.schema.encode(pd.DataFrame({"text": ["很"] * 300}))
    y = corrupt(x, letters.schema, kind="typing_errors", severity=5)
    assert set(y[:, 0].tolist()) == {x[0, 0].item()}
    assert 0 < float((y[:, 1] == x[0, 0]).float().mean()) < 0.15
