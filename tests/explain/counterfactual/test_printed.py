"""What is printed is what was tried: who types it back gets the decision that is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.modality import modality_of
from classifier.schema import Feature, Relation, Schema
from explain.counterfactual.decision import Decision
from explain.counterfactual.finding import counterfactuals, semifactuals
from explain.counterfactual.printed import _Number
from explain.counterfactual.result import Counterfactuals

TypedBack = Callable[[Counterfactuals], Tensor]

NUMBERS = Schema("tabular", tuple(Feature(f"x{index}", "continuous", -1.0 - index, 2.0 + 10.0 ** (index - 2)) for index in range(6)))
# Without bounds: tiny and huge units, and a range that is narrow beside its values.
UNBOUNDED = Schema(
    "tabular",
    (
        Feature("income", "continuous", scale=10_000.0, unit="CNY"),
        Feature("rate", "continuous", scale=1e-5, unit="mg"),
        Feature("big", "continuous", low=1e6, high=1.001e6),
        Feature("n", "integer", scale=5.0),
    ),
    encoding="natural",
)


RELATED = Schema(
    "tabular",
    (
        *(Feature(name, "continuous", 0.0, 10.0) for name in "ab"),
        Feature("total", "continuous", 0.0, 20.0),
        Feature("debts", "integer", 0.0, 9.0),
        Feature("job", "categorical", categories=("none", "part", "full")),
    ),
    (Relation({"a": 1.0, "b": 1.0, "total": -1.0}, "==", 0.0), Relation({"debts": 3.0, "total": -1.0}, "<=", 0.0)),
)


def network(seed: int, inputs: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(inputs, 24), nn.ReLU(), nn.Linear(24, 2))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module


def numbers(count: int, seed: int) -> Tensor:
    return torch.rand(count, 6, generator=torch.Generator().manual_seed(seed))


def unbounded(count: int, seed: int) -> Tensor:
    draw = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
    x = torch.tensor([5e4, 5e-5, 1e6 + 500, 4.0]) + draw * torch.tensor([1e4, 1e-5, 150.0, 2.0])
    return torch.cat([x[:, :3], x[:, 3:].round()], 1)


def related(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.rand(2, count, generator=generator) * 0.7 + 0.3
    debts = (torch.rand(count, generator=generator) * (10 * a + 10 * b) / 3).floor().clamp_max(6)
    job = torch.eye(3)[torch.randint(3, (count,), generator=generator)]
    return torch.cat([torch.stack([a, b, (a + b) / 2, debts / 9], 1), job], 1)


class Scaled(nn.Module):
    """A network of numbers without bounds."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner((x - torch.tensor([5e4, 5e-5, 1e6 + 500, 4.0])) / torch.tensor([1e4, 1e-5, 150.0, 2.0]))


TABLES = {
    "numbers": (NUMBERS, network(5, 6), numbers),
    "no bounds": (UNBOUNDED, Scaled(), unbounded),
    "relations": (RELATED, network(7, 7), related),
}


@pytest.mark.parametrize("threshold", [None, 0.2])
@pytest.mark.parametrize("evaluations", [300, 2000])
@pytest.mark.parametrize("table", TABLES)
def test_what_is_told_flips_when_it_is_typed_back(typed_back: TypedBack, table: str, evaluations: int, threshold: float | None) -> None:
    schema, module, draw = TABLES[table]
    classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
    result = counterfactuals(classifier, draw(12, 1), data=draw(60, 2), threshold=threshold, evaluations=evaluations)
    assert int(result.succeeds.sum()) >= 10
    z, decision = typed_back(result), Decision(classifier, threshold)
    assert torch.equal(decision.decide(decision.logits(z)), result.changed_decided)
    assert bool(modality_of(schema).valid(z).all())
    assert int(result.evaluations.max()) <= evaluations
    told = [
        (row, tuple((change.feature, change.after) for change in own))
        for row, own in zip(result.row.tolist(), result.changes(), strict=True)
    ]
    assert len(set(told)) == len(told), "two of a row are the same in print"
    for change in (change for changes in result.changes() for change in changes):
        assert change.before != change.after
        if schema[change.feature].numeric:
            here, there = (float(word.split()[0].replace(",", "")) for word in (change.before, change.after))
            assert (there > here) == (change.difference > 0)


@pytest.mark.parametrize("table", TABLES)
def test_what_a_semifactual_tells_keeps_the_decision_when_it_is_typed_back(typed_back: TypedBack, table: str) -> None:
    schema, module, draw = TABLES[table]
    classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
    result = semifactuals(classifier, draw(30, 1), data=draw(60, 2), count=6)
    assert int(result.succeeds.sum()) >= 30
    assert torch.equal(classifier.predict(typed_back(result)), result.decided[result.row])
    assert all(change.before != change.after for changes in result.changes() for change in changes)


@pytest.mark.parametrize(("weights", "bias"), [([100.0, 100.0], -100.05), ([10.0, 9.0], -9.6), ([1.0, 2.0], -1.7)])
def test_a_change_that_rounding_makes_needless_is_undone(linear: Callable[..., Classifier], weights: list[float], bias: float) -> None:
    classifier = linear(weights, bias, [Feature(name, "continuous", 0.0, 1.0) for name in "ab"])
    result = counterfactuals(classifier, torch.tensor([[0.5, 0.5]]), count=3)
    assert int(result.succeeds.sum()) >= 2
    for z, changed in zip(result.values, result.changed, strict=True):
        for feature in changed.nonzero()[:, 0]:
            without = z.clone()
            without[feature] = 0.5
            assert int(classifier.predict(without[None])) == int(result.decided[0])


def test_a_number_is_told_in_as_many_digits_as_the_decision_needs() -> None:
    # Only a narrow strip is "yes", and no four digits lie in it.
    def strip(x: Tensor) -> Tensor:
        return torch.where((x[:, 0] - 0.43215).abs() < 2e-5, 0.9, 0.1 + 0.3 * (1 - (x[:, 0] - 0.43215).abs()))

    classifier = Classifier.wrap(strip, schema=Schema("tabular", (Feature("a", "continuous", 0.0, 1.0),)), classes=("no", "yes"))
    result = counterfactuals(classifier, torch.tensor([[0.1]]), data=torch.tensor([[0.43216], [0.2]]), count=1)
    (change,) = result.changes()[0]
    assert float(change.after) == pytest.approx(0.43215, abs=2e-5)
    assert len(change.after) == len("0.43214")
    assert change.longer
    assert "No rounder numbers were found that do." in result.sentences(0)[0]
    assert "未找到位数更少且同样有效的数值。" in result.sentences(0, language="zh-CN")[0]
    assert "No rounder numbers" in result._repr_html_()


def test_unrounded_numbers_are_told_to_their_last_digit(linear: Callable[..., Classifier], typed_back: TypedBack) -> None:
    classifier = linear([3.0, 2.0], -3.1234567, [Feature("amount", "continuous", 0.0, 20000.0), Feature("rate", "continuous", 1.0, 3.0)])
    result = counterfactuals(classifier, torch.tensor([[0.137, 0.271], [0.9, 0.8]]), count=2, rounded=False)
    assert torch.equal(typed_back(result), result.values)
    # Nobody looked for rounder ones.
    assert "No rounder" not in result.as_text()


@pytest.mark.parametrize(
    ("feature", "value", "text", "longer"),
    [
        (Feature("a", "continuous", 0.0, 1.0), 0.25, "0.25", False),
        (Feature("a", "continuous", 0.0, 20_000.0), 0.5, "10,000", False),
        (Feature("a", "continuous", 0.0, 20_000.0), 1234.56 / 20_000, "1,234.56", True),
        (Feature("a", "continuous", 0.0, 1.0), 0.123456, "0.123456", True),
        (Feature("a", "continuous", 1e6, 1.001e6), 0.39575, "1,000,395.75", True),
        (Feature("a", "continuous", -1.0, 1.0), 0.3, "-0.4", False),
    ],
)
def test_the_shortest_decimal_that_is_encoded_as_the_number(feature: Feature, value: float, text: str, longer: bool) -> None:
    schema = Schema("tabular", (feature,))
    encoded = float(torch.tensor(value))
    assert _Number(schema, feature).exact(encoded) == (text, longer)


def test_what_a_row_has_now_is_told_so_that_it_differs() -> None:
    schema = Schema("tabular", (Feature("a", "continuous", 0.0, 2.0),))
    number = _Number(schema, schema.features[0])
    assert number.telling(1.15264 / 2, [("1.153", 1.153 / 2)]) == "1.1526"
    assert number.telling(1.15264 / 2, [("1.1527", 1.1527 / 2), ("0.9", 0.45)]) == "1.1526"
    assert number.telling(1.15264 / 2, [("1.2", 0.6)]) == "1.153"
