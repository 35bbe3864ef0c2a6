"""The sheet for the person concerned: what stands on it, in both languages."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from cases import cases
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from torch import Tensor

from classifier import Classifier, Dataset, Feature, Schema
from classifier.catalogue import load_catalogue
from classifier.errors import ConfigurationError, NotApplicableError
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
    assert "Feature Here away from it towards “class 1”" in text
    assert "contributions to the log-odds of “class 1”" in text
    assert all(f"{reason.feature}: {reason.value}" in text for reason in made.reasons.reasons)
    assert made.changes is not None
    for sentence in made.changes.sentences(0, border=False):
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
    with pytest.raises(ConfigurationError, match="a name for 'west', which is no class"):
        sheet().to_html(words=OwnersWords(names={"west": "x"}))


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
    # The event's own probability beside its threshold, in digits that keep them apart.
    told = re.search(
        r"the probability of “class 1” to be ([\d.]+)%. It would decide “class 1” only from 99.99999% on", plain(made.to_html())
    )
    assert told is not None
    assert float(told[1]) < 99.99999


def test_a_probability_is_told_on_its_side_of_the_threshold() -> None:
    schema = Schema("tabular", (Feature("east", "continuous", 0.0, 1.0),))
    layer = torch.nn.Linear(1, 1)
    layer.weight.data.fill_(0.0)
    layer.bias.data.fill_(-0.01)
    classifier = Classifier.wrap(layer, schema=schema, classes=("granted", "refused"))
    made = decision_sheet(classifier, torch.zeros(1, 1), background=torch.rand(9, 1), favourable="granted", threshold=0.5, count=0)
    text = plain(made.to_html())
    assert "It takes the probability of “refused” to be 49.8%. It would decide “refused” only from 50% on." in text
    assert "模型估计“refused”的概率为 49.8%；概率达到 50% 才会判为“refused”。" in plain(made.to_html("zh-CN"))


def test_the_same_sheet_gives_the_same_bytes_and_is_written_whole(tmp_path: Path) -> None:
    sheet().save(tmp_path / "deep" / "sheet.html", contact="the ombudsman")
    assert (tmp_path / "deep" / "sheet.html").read_text(encoding="utf-8") == sheet().to_html(contact="the ombudsman")
    assert "Questions and objections: the ombudsman" in sheet().to_html(contact="the ombudsman")
    assert "iframe" in sheet()._repr_html_()


RECIPES = {
    "image": Recipe("cnn", hidden=(8,), options={"channels": (4,)}, epochs=15, learning_rate=0.01),
    "text": Recipe("transformer_text", options={"width": 8, "buckets": 64}, epochs=1),
    "sequence": Recipe("temporal_cnn", hidden=(4,), epochs=1),
    "graph": Recipe("graph_attention", hidden=(8,), epochs=1),
}


@pytest.mark.parametrize("modality", list(RECIPES))
def test_what_is_no_table_gets_a_picture_and_no_reasons_in_the_readers_words(modality: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, written = cases(modality, 2), set[str]()

    def noted(figure: Figure, *arguments: object, **options: object) -> None:
        written.update(text.get_text() for text in figure.findobj(Text))

    monkeypatch.setattr(Figure, "savefig", noted)
    classifier = train(data.split(), RECIPES[modality], progress=False)
    wanted = classifier.classes[1 - int(classifier.predict(data.inputs[:1])[0])]
    made = decision_sheet(classifier, data.inputs[:1], background=data.inputs[1:9], favourable=wanted, count=2)
    html = made.to_html("zh-CN", words=OwnersWords(names={"class 0": "甲", "class 1": "乙"}))
    assert 'src="data:image/png;base64,' in html
    assert 'alt="输入内容，各部分按下表中的数值着色。"' in html
    assert "没有可靠的理由" in plain(html)
    # Of what Assay says nothing is English; a graph's features and a text's tokens are the data's.
    said = " ".join([plain(html.split("<main>")[1]), *written])
    assert not re.findall(r"\b(?:rows?|columns?|tokens?|steps?|nodes?|edges?|class|log-odds|contribution|explained|image|case)\b", said)
    assert any("对“" in text for text in written)


def test_the_picture_has_the_numbers_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    reach = list[float]()
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *_, **__: reach.extend(image.get_clim()[1] for image in figure.findobj(AxesImage))
    )
    data = cases("image", 2)
    classifier = train(data.split(), RECIPES["image"], progress=False)
    made = decision_sheet(classifier, data.inputs[:1], background=data.inputs[1:9], count=0, method="integrated_gradients")
    made.to_html()
    assert max(reach[1:]) == pytest.approx(float(made.explanation.by_feature().abs().max()))


def test_parts_of_another_case_are_not_told_by_its_number() -> None:
    data = cases("image", 2)
    classifier = train(data.split(), RECIPES["image"], progress=False)
    made = decision_sheet(classifier, data.inputs[:1], background=data.inputs[1:], count=3)
    assert made.changes is not None
    donors = made.changes.donor.clamp_min(7)
    made = replace(made, changes=replace(made.changes, donor=donors))
    assert "as in another case" in plain(made.to_html())
    assert "取自另一案例" in plain(made.to_html("zh-CN"))
    assert not re.search(r"as in case \d|案例 \d", plain(made.to_html()) + plain(made.to_html("zh-CN")))


def test_a_sheet_takes_no_slopes() -> None:
    classifier, data = trained()
    with pytest.raises(NotApplicableError, match="saliency gives each part its slope"):
        decision_sheet(classifier, refused(), background=data.inputs[:40], method="saliency")


def test_what_cannot_be_asked_is_refused() -> None:
    classifier, data = trained()
    with pytest.raises(ConfigurationError, match="for one decision, got 2"):
        decision_sheet(classifier, data.inputs[:2], background=data.inputs)
    with pytest.raises(ConfigurationError, match="there is no class 'god'"):
        decision_sheet(classifier, data.inputs[:1], background=data.inputs, favourable="god")
    ten = Classifier.wrap(torch.nn.Linear(classifier.schema.shape[0], 3), schema=classifier.schema, classes=("a", "b", "c"))
    with pytest.raises(ConfigurationError, match="between two classes, and there are 3"):
        decision_sheet(ten, data.inputs[:1], background=data.inputs, threshold=0.5)
    with pytest.raises(ConfigurationError, match="between 0 and 1, got nan"):
        decision_sheet(classifier, data.inputs[:1], background=data.inputs, threshold=float("nan"))
    with pytest.raises(ConfigurationError, match="inputs must have the shape"):
        decision_sheet(classifier, data.inputs[:1, :1], background=data.inputs)
    for background in (data.inputs[:0], data.inputs[:, :1]):
        with pytest.raises(ConfigurationError, match="the background must be at least one case of the input's shape"):
            decision_sheet(classifier, data.inputs[:1], background=background)


def test_of_three_classes_the_sheet_tells_what_the_decision_is_set_against() -> None:
    data = cases("tabular", 3, 20)
    classifier = train(data.split(), Recipe("mlp", hidden=(8,), epochs=5), progress=False)
    made = decision_sheet(classifier, data.inputs[:1], background=data.inputs, favourable=classifier.classes[0], count=0)
    decided, other = classifier.classes[made.decided], classifier.classes[made.case.other]
    text = plain(made.to_html())
    assert f"moved the decision towards “{decided}” rather than “{other}”, or the other way." in text
    assert f"the logit of “{decided}” less that of “{other}”" in text
    assert f"to be {made.case.probabilities[made.decided]:.0%}, the highest of all." in text
