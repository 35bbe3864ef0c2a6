"""What is told beside the changes: why the closest is not what was asked for, the threshold, and the parts of other inputs in Chinese."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from cases import cases
from torch import nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.schema import Feature, Schema
from explain.counterfactual.finding import counterfactuals
from explain.counterfactual.player_names import in_chinese
from explain.counterfactual.wording import join_changes, shown

ONE = [Feature("a", "continuous", 0.0, 10.0)]


def three(bias: tuple[float, float, float]) -> Classifier:
    module = nn.Linear(1, 3)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[0.0], [4.0], [3.0]]))
        module.bias.copy_(torch.tensor(bias))
    return Classifier.wrap(module, schema=Schema("tabular", (Feature("a", "continuous", 0.0, 1.0),)), classes=("a", "b", "c"))


def test_where_a_third_class_is_reached_that_is_said() -> None:
    result = counterfactuals(three((1.0, -1.0, -2.0)), torch.tensor([[0.1]]), target="c")
    assert not bool(result.found.any())
    assert "it would have decided 'b', which is not 'c'." in result.as_text()
    assert "unlike" not in result.as_text()
    assert "本模型会判为“b”，而不是所要求的“c”。" in result.as_text(language="zh-CN")


def test_what_is_unlike_the_cases_and_what_is_barely_reached_are_told_apart(linear: Callable[..., Classifier]) -> None:
    # At the end of its range the number is 5e-5 logits beyond the border.
    barely = counterfactuals(linear([1.0], -0.99995, ONE), torch.tensor([[0.1]]))
    assert "so barely that rounding may undo it" in barely.as_text()
    assert "超出界限极少" in barely.as_text(language="zh-CN")
    # All cases of the other class have another m, which stays.
    numbers = [Feature(name, "continuous", 0.0, 1.0) for name in "am"]
    others = torch.tensor([[0.9, 1.0], [0.91, 1.0], [0.92, 1.0]])
    unlike = counterfactuals(linear([10.0, 0.0], -5.0, numbers), torch.tensor([[0.1, 0.0]]), data=others, plausible=1.0, fixed=["m"])
    assert not bool(unlike.found.any())
    assert "it would have decided 'good', but that is unlike the real cases that it decides so." in unlike.as_text()


def test_the_closest_is_told_where_probabilities_hardly_move(linear: Callable[..., Classifier]) -> None:
    result = counterfactuals(linear([15.0], -31.0, ONE), torch.tensor([[0.1]]))
    assert result.changes()[0][0].after == "10"
    assert "if a had been 10 instead of 1, its probability of 'good' would have been 1.1e-07 instead of 1.5e-13" in result.as_text()


@pytest.mark.parametrize(
    ("probability", "others", "said"),
    [
        (0.42, (), "0.42"),
        (0.001, (), "<0.01"),
        (0.999, (), ">0.99"),
        (0.0201, (0.0234,), "0.020"),
        (0.9001, (0.9,), "0.9001"),
        (0.001, (0.002, None), "0.001"),
        (0.42, (0.42,), "0.42"),
    ],
)
def test_a_probability_has_as_many_digits_as_tell_it_from_others(probability: float, others: tuple[float | None, ...], said: str) -> None:
    assert shown(probability, *others) == said


def test_the_threshold_is_told_wherever_a_probability_is(linear: Callable[..., Classifier]) -> None:
    x = torch.tensor([[0.1], [0.9]])
    result = counterfactuals(linear([10.0], -5.0, ONE), x, threshold=0.9, count=1)
    assert "It decides 'good' from a probability of 0.9 on." in result.sentences(0)[0]
    assert "It decides 'bad' above a probability of 0.1." in result.sentences(1)[0]
    assert "“good”的概率达到 0.9 时" in result.sentences(0, language="zh-CN")[0]
    assert result.to_frame()["threshold"].tolist() == pytest.approx([0.9, 0.1])
    assert "from a probability of 0.9 on" in result._repr_html_()
    assert any("from a probability of 0.9 on" in text.get_text() for text in result[0].plot().texts)
    # A probability that passes it is not told as equal to it.
    assert "good: 0.90," not in result._repr_html_()
    assert "threshold" not in counterfactuals(linear([10.0], -5.0, ONE), x, count=1).as_text()
    assert counterfactuals(linear([10.0], -5.0, ONE), x, count=1).to_frame()["threshold"].isna().all()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("token 3", "第 3 个词元"),
        ("step 7", "第 7 步"),
        ("steps 96 to 100", "第 96 至 100 步"),
        ("gyroscope, steps 1 to 5", "gyroscope 第 1 至 5 步"),
        ("row 2, column 1", "第 2 行第 1 列"),
        ("rows 5 to 8, columns 1 to 4", "第 5 至 8 行第 1 至 4 列"),
        ("node 15", "第 15 个节点"),
        ("C, 3 edges", "C，3 条边"),
        ("1 edge", "1 条边"),
        ("3 of 5 steps", "5 步中的 3 步"),
        ("not observed", "未观测"),
        ("no node", "无节点"),
        ("1.75", "1.75"),
    ],
)
def test_players_have_chinese_names(name: str, said: str) -> None:
    assert in_chinese(name) == said


@pytest.mark.parametrize("modality", ["image", "sequence", "graph", "text"])
def test_a_chinese_sentence_has_no_english_word_but_those_of_the_data(modality: str) -> None:
    dataset = cases(modality, 2)
    size = dataset.inputs[0].numel()
    body: nn.Module = nn.Flatten()
    if modality == "text":
        body, size = nn.Sequential(nn.Embedding(len(dataset.schema.features[0].categories), 2), nn.Flatten()), 2 * size
    torch.manual_seed(0)
    classifier = Classifier.wrap(nn.Sequential(body, nn.Linear(size, 2)), schema=dataset.schema, classes=dataset.classes)
    result = counterfactuals(classifier, dataset.inputs[:6], data=dataset)
    assert bool(result.found.any())
    for said in (result.as_text(language="zh-CN"), *(text.get_text() for text in result[0].plot(language="zh-CN").texts)):
        assert not re.search(r"\b(rows?|columns?|steps?|tokens?|nodes?|edges?|to|case)\b", said), said
    named = result.changes()[0][0].feature
    assert "此处" in result.as_text(language="zh-CN", names={named: "此处"})


def test_parts_of_a_case_that_look_alike_are_told_by_the_case() -> None:
    changes = (("row 2", "1.75", "1.75"), ("row 3", "0", "1"))
    assert join_changes(changes, "en", {}, donor=7) == "row 2 and row 3 (1 instead of 0) had been as in case 7"
    assert join_changes(changes, "zh-CN", {}, donor=7) == "row 2和row 3（为1，而不是0）取自案例7"


@pytest.mark.parametrize(
    "options", [{"weights": {"nope": 3.0}}, {"sparsity": 1.0}, {"diversity": 0.0}, {"plausible": 0.1}, {"rounded": False}]
)
def test_options_of_tables_are_refused_for_other_inputs(options: dict[str, object]) -> None:
    dataset = cases("image", 2)
    classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), nn.Linear(256, 2)), schema=dataset.schema, classes=dataset.classes)
    with pytest.raises(ConfigurationError, match="is for rows of a table, and these inputs are of modality image"):
        counterfactuals(classifier, dataset.inputs[:1], data=dataset, **options)  # type: ignore[arg-type]
