"""How a sentence of a record is found again and said in another language: whole, in parts, and with little work."""

from __future__ import annotations

import pytest

from audit.report.reasons import Reasons, read_reasons, say_label, say_reason, translate_reason
from classifier.catalogue import CatalogueError
from classifier.errors import ConfigurationError


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("the training data are not known", "训练数据未知"),
        ("12 of 60 rows", "60 个样本中的 12 个"),
        # Two sentences that are joined, of which the first has one within it.
        (
            "the classifier is a black box: trees have no gradients, and this needs gradients",
            "分类器是黑箱：树没有梯度，而本项需要梯度",
        ),
        # A sentence that holds what joins others stays whole, beside one that is joined to it.
        (
            'the classifier answers with values that are not finite; check its weights and its inputs; take norm="Linf" or "L2"',
            '分类器给出的值不是有限数；请检查其权重和输入；请用 norm="Linf" 或 "L2"',
        ),
        ("the inputs of a graph classifier are discrete", "图分类器的输入是离散的"),
        (
            "not certifiable: the function add, which writes over its input, at block.1",
            "无法证明：函数 add，它改写了自身的输入（位于 block.1）",
        ),
        (
            "the classifier answers inputs under frost of severity 3 with values that are not finite; check its weights and its inputs",
            "分类器对输入（严重等级为 3 的霜）给出的值不是有限数；请检查其权重和输入",
        ),
    ],
)
def test_a_sentence_of_a_record_is_said_in_chinese(english: str, said: str) -> None:
    assert translate_reason(english, "zh-CN") == said
    assert say_reason(english, "zh-CN") == said
    assert say_reason(english, "en") == english


def test_a_sentence_that_nobody_translated_is_shown_as_it_is_and_marked() -> None:
    said = say_reason("the moon is in the way", "zh-CN")
    assert said.startswith("the moon is in the way")
    assert said != "the moon is in the way"
    with pytest.raises(CatalogueError, match="no sentence for 'the moon is in the way'"):
        translate_reason("the moon is in the way", "zh-CN")


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("12 of 60 images were converted to gray", "60 张图像中有 12 张被转换为灰度"),
        ("edge labels are not used", "未使用边的标签"),
        (
            'zip has leading zeros and was taken for numbers; [data.features.zip] kind = "categorical" keeps them as codes',
            'zip 含有前导零，被当作了数值；设置 [data.features.zip] kind = "categorical" 可将其保留为代码',
        ),
        ("age lies outside its bounds 18 to 75 in 12 rows; kept", "age 有 12 个样本的值超出其界限（18 至 75）；已保留"),
    ],
)
def test_a_note_on_the_data_is_said_in_chinese(note: str, said: str) -> None:
    assert translate_reason(note, "zh-CN") == said


@pytest.mark.parametrize(
    ("part", "known"), [("a {}: b", False), ("{} of 400 rows", True), ("these do: {}, and this needs gradients", True)]
)
def test_a_text_of_four_times_the_parts_takes_about_four_times_the_comparisons(
    part: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    for parts in (75, 300):
        whole, read = Reasons._whole, list[str]()
        with monkeypatch.context() as patch:
            patch.setattr(Reasons, "_whole", lambda self, text, deep, whole=whole, read=read: read.append(text) or whole(self, text, deep))
            found = read_reasons.__wrapped__("zh-CN").find("; ".join(part.format(n) for n in range(parts)))
        assert (found is not None) == known
        compared.append(len(read))
    assert 0 < compared[1] <= 4.5 * compared[0]


def test_sentences_within_sentences_have_an_end() -> None:
    said = say_reason("did you mean " * 400 + "?" * 400, "zh-CN")
    assert said.startswith("是否指 是否指 ")
    assert said.count("did you mean") > 300


def test_names_from_the_data_are_left_as_they_are() -> None:
    assert say_label("under 26 (n = 40)", "zh-CN") == "26 以下（n = 40）"
    for name in ("married", "under treatment", "work or more", "0 to 199 DM", "this needs gradients"):
        assert say_label(name, "zh-CN") == name
        assert say_label(name, "en") == name


def test_a_language_without_reasons_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="there are no reasons in the language 'xx'"):
        say_reason("this needs gradients", "xx")
