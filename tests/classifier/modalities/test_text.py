import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.builtin import REVIEWS_ZH
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, DataError
from classifier.modalities.text import tokenizer_of
from classifier.modality import modality_of
from classifier.schema import Feature, Schema
from classifier.tokenizer import MASK, SPECIAL

TEXTS = ["很好 很好", "不好!", "good book", "bad book, bad room", "好书", "差 差 差"]
LABELS = ["p", "n", "p", "n", "p", "n"]


@pytest.fixture
def data() -> Dataset:
    return Dataset.from_frame(pd.DataFrame({"review": TEXTS, "label": LABELS}), target="label", event="n", modality="text", size=(5,))


def test_the_builtin_reviews_are_the_file_they_were():
    assert hashlib.sha256(REVIEWS_ZH.read_bytes()).hexdigest() == "3496d313279caf6058d95684ce394e6aef19fe822e7a9e01b2e4e4e109198421"


def test_the_builtin_reviews_are_balanced_and_nearly_all_their_tokens_are_known():
    data = Dataset.builtin("reviews-zh")
    assert data.inputs.dtype == torch.int64
    assert data.event == "negative"
    assert torch.bincount(data.labels).tolist() == [3000, 3000]
    tokenizer = modality_of(data.schema).tokenizer
    assert (data.inputs == tokenizer.unknown).sum() < 0.01 * (data.inputs != tokenizer.padding).sum()
    assert modality_of(data.schema).valid(data.inputs).all()


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl"])
def test_every_format_gives_the_same_texts(tmp_path: Path, ending: str, data: Dataset):
    frame, path = pd.DataFrame({"review": TEXTS, "label": LABELS}), tmp_path / f"texts.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending == "jsonl":
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in frame.to_dict("records")) + "\n", encoding="utf-8")
    else:
        frame.to_csv(path, sep="," if ending == "csv" else "\t", index=False)
    read = Dataset.read(path, target="label", event="n", modality="text", size=(5,))
    assert read.inputs.equal(data.inputs)
    assert read.schema == data.schema
    assert read.source["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"text": "a"}\nnonsense\n', "line 2"),
        ('{"text": "a"}\n\n["b"]\n', "list in line 3"),
        ("", "no rows"),
        ('{"text": "a"}\n' + "[" * 100_000, "nested too deeply in line 2"),
        ('{"text": "a"}\n{"text": "b", "label": "\\ud800"}', r"half a character in line 2, \\ud800"),
    ],
)
def test_a_damaged_line_is_named_by_its_number(tmp_path: Path, content: str, said: str):
    (tmp_path / "texts.jsonl").write_text(content)
    with pytest.raises(DataError, match=said):
        Dataset.read(tmp_path / "texts.jsonl", target="label", modality="text")


@pytest.mark.parametrize(
    ("cell", "said"), [("", "no text in row 1"), (None, "no text in row 1"), (" \n", "no text"), (3, "must hold texts, got the int")]
)
def test_a_missing_text_and_what_is_no_text_are_refused_with_the_row(cell: object, said: str):
    frame = pd.DataFrame({"review": pd.Series(["a", cell, "a b"], dtype=object), "label": ["x", "y", "x"]})
    with pytest.raises(DataError, match=said):
        Dataset.from_frame(frame, target="label", modality="text")


def test_a_missing_text_takes_the_stated_fill_and_is_counted():
    frame = pd.DataFrame({"review": ["a b", None, "a"], "label": ["x", "y", "x"]})
    data = Dataset.from_frame(frame, target="label", modality="text", features={"text": {"fill": "nothing written"}})
    assert data.cleaning is not None
    assert data.cleaning.missing == {"text": 1}
    assert data.cleaning.filled == {"text": "nothing written"}


def test_a_second_column_is_refused_until_it_is_dropped():
    frame = pd.DataFrame({"review": TEXTS, "shop": "x", "label": LABELS})
    with pytest.raises(DataError, match="review, shop"):
        Dataset.from_frame(frame, target="label", modality="text")
    assert Dataset.from_frame(frame, target="label", modality="text", drop=("shop",)).schema.names == ("text",)


def test_the_default_size_leaves_nearly_all_texts_whole_and_what_is_cut_is_told():
    texts = ["好 " * length for length in range(1, 101)]
    data = Dataset.from_frame(pd.DataFrame({"t": texts, "label": ["x", "y"] * 50}), target="label", modality="text")
    assert 95 <= data.schema.size[0] <= 97
    assert data.cleaning is not None
    assert f"{100 - data.schema.size[0]} of 100 texts" in " ".join(data.cleaning.notes)
    long = Dataset.from_frame(pd.DataFrame({"t": ["好 " * 999, "差 差"], "label": ["x", "y"]}), target="label", modality="text")
    assert long.schema.size == (256,)


def test_a_text_that_was_read_back_is_encoded_alike(data: Dataset):
    assert data.schema.encode(data.schema.decode(data.inputs)).equal(data.inputs)
    assert data.schema.encode(pd.DataFrame({"text": ["好" * 99], "other": ["x"]})).shape == (1, 5)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), st.lists(st.booleans(), min_size=5, max_size=5), st.integers(1, 5))
def test_a_masked_text_is_as_long_as_it_was_and_a_text_where_the_other_is_valid(length: int, kept: list[bool], other: int):
    schema = Schema("text", (Feature("text", "text", categories=(*SPECIAL, "a", "b")),), size=(5,))
    modality = modality_of(schema)
    x = torch.tensor([[3] * length + [0] * (5 - length)])
    replacement = torch.tensor([4] * other + [0] * (5 - other))
    masked = modality.mask(x, torch.tensor([kept]), replacement)
    assert ((masked != 0) == (x != 0)).all()
    assert modality.valid(masked).all()
    present = modality.present(x)[0]
    expected = [3 if keep else 4 if position < other else 2 for position, keep in enumerate(kept)]
    assert masked[0][present].tolist() == [token for token, there in zip(expected, present.tolist(), strict=True) if there]


def test_values_of_players_go_to_the_positions_and_back(data: Dataset):
    modality, values = modality_of(data.schema), torch.randn(6, 5)
    assert modality.gather(modality.spread(values, data.inputs)).equal(values)
    assert modality.players == tuple(f"token {i}" for i in range(1, 6))
    assert modality.words(data.inputs[1:2])[0]["token 2"] == "好"


def test_the_text_that_says_nothing_is_masked_everywhere(data: Dataset):
    modality = modality_of(data.schema)
    assert set(modality.words(modality.neutral()[None])[0].values()) == {MASK}
    assert modality.typical(data.inputs).equal(modality.neutral())


def test_a_text_with_a_hole_or_an_unknown_number_is_not_valid(data: Dataset):
    highest = int(data.schema.bounds[1][0])
    x = torch.tensor([[3, 3, 0, 0, 0], [3, 0, 3, 0, 0], [0, 0, 0, 0, 0], [highest + 1, 3, 3, 3, 3], [highest, 3, 3, 3, 3]])
    assert modality_of(data.schema).valid(x).tolist() == [True, False, False, False, True]


def test_a_schema_that_is_no_schema_of_texts_is_refused():
    with pytest.raises(ConfigurationError, match="must begin with"):
        modality_of(Schema("text", (Feature("text", "text", categories=("a", "b")),), size=(3,))).neutral()
    with pytest.raises(ConfigurationError, match="one feature"):
        modality_of(Schema("text", (Feature("review", "text", categories=SPECIAL),), size=(3,)))
    with pytest.raises(ConfigurationError, match="size"):
        modality_of(Schema("text", (Feature("text", "text", categories=SPECIAL),)))


def test_a_text_has_no_gradients_and_says_why(data: Dataset):
    classifier = Classifier.wrap(lambda x: torch.full((len(x), 2), 0.5), schema=data.schema, classes=data.classes)
    assert not classifier.differentiable


def test_both_halves_of_a_character_are_one(tmp_path: Path):
    (tmp_path / "texts.jsonl").write_text('{"text": "\\ud83d\\ude00 a", "label": "x"}\n{"text": "a", "label": "y"}\n')
    data = Dataset.read(tmp_path / "texts.jsonl", target="label", modality="text")
    assert len(data) == 2


def test_a_text_of_no_width_is_missing_and_takes_the_fill():
    frame = pd.DataFrame({"review": ["a b", "\u200b \u2060", "a"], "label": ["x", "y", "x"]})
    with pytest.raises(DataError, match="no text in row 1"):
        Dataset.from_frame(frame, target="label", modality="text")
    data = Dataset.from_frame(frame, target="label", modality="text", features={"text": {"fill": "nothing written"}})
    assert data.cleaning is not None
    assert data.cleaning.missing == {"text": 1}


@pytest.mark.parametrize(
    ("features", "size", "message"),
    [
        ({"text": {"fill": ""}}, (), "the fill of 'text' has no token, got ''"),
        ({"text": {"fil": "x"}}, (), "feature 'text' has no field 'fil'; did you mean 'fill'"),
        ({"review": {"fill": "x"}}, (), "'review' is a column and no feature of its inputs; state it of 'text'"),
        ({}, (2.5,), r"the size of a text is \[tokens\] in whole numbers, got \[2\.5\]"),
    ],
)
def test_what_is_stated_of_texts_and_cannot_be_is_refused(features: dict[str, dict[str, str]], size: tuple[int, ...], message: str):
    frame = pd.DataFrame({"review": ["a b", "", "a"], "label": ["x", "y", "x"]})
    with pytest.raises(ConfigurationError, match=message):
        Dataset.from_frame(frame, target="label", modality="text", features=features, size=size)


def test_large_inputs_lie_on_disk(data: Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("classifier.storage.IN_MEMORY", 16)
    x = data.schema.encode(pd.DataFrame({"review": TEXTS}))
    assert x.untyped_storage().filename
    assert x.equal(data.inputs)


def test_texts_are_written_out_with_one_look_for_their_tokenizer(monkeypatch: pytest.MonkeyPatch, data: Dataset):
    looks: list[Feature] = []
    modality = modality_of(data.schema)
    monkeypatch.setattr("classifier.modalities.text.tokenizer_of", lambda feature: looks.append(feature) or tokenizer_of(feature))
    assert len(modality.decode(data.inputs)) == len(TEXTS)
    assert len(modality.words(data.inputs)) == len(TEXTS)
    assert len(looks) == 2
