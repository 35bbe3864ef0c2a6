"""The sheet for the person concerned: what stands on it, in both languages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import torch
from cases import cases
from torch import Tensor

from classifier import Classifier, Dataset
from classifier.catalogue import load_catalogue
from classifier.errors import ConfigurationError
from explain.sheet import writing
from explain.sheet.reasons import Refusal
from explain.sheet.writing import OwnersWords, Sheet, decision_sheet
from trainer import Recipe, train

LOCALES = Path(writing.__file__).parent / "locales"


@cache
def trained() -> tuple[Classifier, Dataset]:
    data = cases("tabular", 2, 40)
    return train(data.split(), Recipe("mlp", hidden=(8,), epochs=40, learning_rate=0.02), progress=False), data


def refused() -> Tensor:
    classifier, data = trained()
    x = data.inputs[(data.labels == 1) & (classifier.predict(data.inputs) == 1)][:1]
    assert len(x) == 1
    return x


@cache
def sheet() -> Sheet:
    classifier, data = trained()
    return decision_sheet(classifier, refused(), background=data.inputs[:40], favourable="class 0", threshold=0.5, label="7 <b>")


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_both_languages_say_the_same_things() -> None:
    english, chinese = load_catalogue(LOCALES, "en"), load_catalogue(LOCALES, "zh-CN")
    assert list(english.sentences) == list(chinese.sentences)
    for key, sentence in english.sentences.items():
        assert set(re.findall(r"\{(\w+)\}", sentence)) >= set(re.findall(r"\{(\w+)\}", chinese.sentences[key])), key
    for refusal in Refusal.__args__:
        assert f"reasons.{refusal}" in english


def test_a_sheet_tells_the_decision_its_reasons_and_what_would_have_changed_it() -> None:
    made = sheet()
    assert made.reasons is not None
    assert {reason.feature for reason in made.reasons.reasons} <= {"east", "north"}
    html = made.to_html()
    text = plain(html)
    assert "This model decides: class 1." in text
    assert "This is not the decision that the person concerned wants." in text
    assert all(f"{reason.feature}: {reason.value}" in text for reason in made.reasons.reasons)
    assert made.changes is not None
    for sentence in made.changes.sentences(0):
        assert sentence in text.replace("&#39;", "'")
    assert "no offer and no promise" in text
    assert "<b>" not in html.replace("7 &lt;b&gt;", "")
    assert "<script" not in html


def test_the_owners_words_stand_wherever_a_name_does() -> None:
    words = OwnersWords(names={"class 0": "批准", "class 1": "拒绝", "east": "东"}, reasons={"east": "位置偏西"})
    text = plain(sheet().to_html("zh-CN", words=words))
    assert "本模型的决定：拒绝。" in text
    assert "class 1" not in text
    assert "位置偏西" in text or "没有可靠的理由" in text
    with pytest.raises(ConfigurationError, match="a text for 'west', which is no feature"):
        sheet().to_html(words=OwnersWords(reasons={"west": "x"}))


def test_a_wanted_decision_needs_no_reasons() -> None:
    classifier, data = trained()
    made = decision_sheet(classifier, refused(), background=data.inputs[:40], favourable="class 1", count=0)
    assert made.reasons is None
    text = plain(made.to_html())
    assert "The main reasons" not in text
    assert "This is the decision that the person concerned wants." in text
    assert "It was not looked for." in text
    silent = decision_sheet(classifier, refused(), background=data.inputs[:40], count=0)
    assert "the person concerned wants" not in plain(silent.to_html())


def test_the_threshold_decides() -> None:
    classifier, data = trained()
    made = decision_sheet(classifier, refused(), background=data.inputs[:40], favourable="class 0", threshold=0.9999999, count=0)
    assert made.decided == 0
    assert made.reasons is None


def test_the_same_sheet_gives_the_same_bytes_and_is_written_whole(tmp_path: Path) -> None:
    sheet().save(tmp_path / "deep" / "sheet.html", contact="the ombudsman")
    assert (tmp_path / "deep" / "sheet.html").read_text(encoding="utf-8") == sheet().to_html(contact="the ombudsman")
    assert "Questions and objections: the ombudsman" in sheet().to_html(contact="the ombudsman")
    assert "iframe" in sheet()._repr_html_()


@pytest.mark.parametrize("modality", ["image", "text", "sequence", "graph"])
def test_what_is_no_table_gets_a_picture_and_no_reasons(modality: str) -> None:
    data = cases(modality, 2)
    recipes = {
        "image": Recipe("cnn", hidden=(8,), options={"channels": (4,)}, epochs=1),
        "text": Recipe("transformer_text", options={"width": 8, "buckets": 64}, epochs=1),
        "sequence": Recipe("temporal_cnn", hidden=(4,), epochs=1),
        "graph": Recipe("graph_attention", hidden=(8,), epochs=1),
    }
    classifier = train(data.split(), recipes[modality], progress=False)
    wanted = classifier.classes[1 - int(classifier.predict(data.inputs[:1])[0])]
    made = decision_sheet(classifier, data.inputs[:1], background=data.inputs[1:9], favourable=wanted, count=0, method="feature_ablation")
    html = made.to_html("zh-CN")
    assert "data:image/png;base64," in html
    assert "没有可靠的理由" in plain(html)


def test_what_cannot_be_asked_is_refused() -> None:
    classifier, data = trained()
    with pytest.raises(ConfigurationError, match="for one decision, got 2"):
        decision_sheet(classifier, data.inputs[:2], background=data.inputs)
    with pytest.raises(ConfigurationError, match="there is no class 'god'"):
        decision_sheet(classifier, data.inputs[:1], background=data.inputs, favourable="god")
    ten = Classifier.wrap(torch.nn.Linear(classifier.schema.shape[0], 3), schema=classifier.schema, classes=("a", "b", "c"))
    with pytest.raises(ConfigurationError, match="between two classes, and there are 3"):
        decision_sheet(ten, data.inputs[:1], background=data.inputs, threshold=0.5)
