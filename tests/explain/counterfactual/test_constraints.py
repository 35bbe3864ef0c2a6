"""What a row may become: directions, relations, categories, bounds, and what a user may ask wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from classifier import Dataset
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError, ModelError, NotApplicableError
from classifier.modality import modality_of
from classifier.schema import Feature, Relation, Schema
from explain.counterfactual.decision import CLEAR, Decision
from explain.counterfactual.finding import counterfactuals, semifactuals

SCHEMA = Schema(
    "tabular",
    (
        Feature("a", "continuous", 0.0, 10.0),
        Feature("b", "continuous", 0.0, 10.0),
        Feature("total", "continuous", 0.0, 20.0),
        Feature("years", "integer", 18.0, 80.0, direction="increase"),
        Feature("debts", "integer", 0.0, 9.0, direction="decrease"),
        Feature("origin", "categorical", categories=("x", "y", "z"), mutable=False),
        Feature("job", "categorical", categories=("none", "part", "full")),
        Feature("owner", "binary", categories=("no", "yes")),
    ),
    (Relation({"a": 1.0, "b": 1.0, "total": -1.0}, "==", 0.0), Relation({"debts": 3.0, "total": -1.0}, "<=", 0.0)),
)


def network(seed: int, inputs: int, outputs: int = 2) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(inputs, 24), nn.ReLU(), nn.Linear(24, outputs))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module


def rows(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.rand(count, generator=generator) * 0.7 + 0.3 for _ in range(2))
    debts = (torch.rand(count, generator=generator) * (10 * a + 10 * b) / 3).floor().clamp_max(6)
    years = torch.randint(63, (count,), generator=generator)
    categories = [torch.eye(3)[torch.randint(3, (count,), generator=generator)] for _ in range(2)]
    owner = torch.randint(2, (count, 1), generator=generator).float()
    numbers = torch.stack([a, b, (a + b) / 2, years / 62, debts / 9], 1)
    return torch.cat([numbers, *categories, owner], 1)


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 10_000), box=st.booleans(), data=st.booleans())
def test_relations_directions_and_what_cannot_change_hold_in_every_counterfactual(seed: int, box: bool, data: bool) -> None:
    classifier = Classifier.wrap(network(seed, 12), schema=SCHEMA, classes=("no", "yes"))
    if box:
        inner = classifier
        classifier = Classifier.wrap(lambda x: inner.probabilities(x), schema=SCHEMA, classes=("no", "yes"))
    x = rows(6, seed)
    result = counterfactuals(classifier, x, data=rows(60, seed + 1) if data else None, evaluations=800)
    z, of = SCHEMA.decode(result.values), SCHEMA.decode(result.inputs[result.row])
    assert bool(modality_of(SCHEMA).valid(result.values).all())
    assert ((z["a"] + z["b"] - z["total"]).abs() < 1e-2).all()
    assert (3 * z["debts"] <= z["total"] + 1e-2).all()
    assert (z["years"] >= of["years"]).all()
    assert (z["debts"] <= of["debts"]).all()
    assert (z["origin"] == of["origin"]).all()
    assert bool(((result.values >= 0) & (result.values <= 1)).all())
    flipped = classifier.predict(result.values) != classifier.predict(result.inputs)[result.row]
    assert torch.equal(flipped[result.succeeds], torch.ones(int(result.succeeds.sum()), dtype=torch.bool))
    assert bool((result.evaluations <= 800).all())


def test_a_sum_keeps_its_parts_where_one_of_them_must_move(linear: Callable[..., Classifier]) -> None:
    numbers = [Feature(name, "continuous", 0.0, 10.0) for name in "abc"]
    classifier = linear([10.0, 0.0, 0.0], -7.0, numbers, [Relation({"a": 1.0, "b": 1.0, "c": -1.0}, "==", 0.0)])
    result = counterfactuals(classifier, torch.tensor([[0.2, 0.3, 0.5]]), count=2, rounded=False)
    assert bool(result.succeeds.all())
    natural = 10 * result.values
    assert torch.allclose(natural[:, 0] + natural[:, 1], natural[:, 2], atol=1e-3)
    # a must reach 7 from 2, and b or c takes the other 5.
    assert result.distance[0] == pytest.approx(0.8 if natural[0, 1] == 0 else 1.0, abs=2e-3)


def test_what_is_fixed_stays_and_weights_steer(linear: Callable[..., Classifier]) -> None:
    numbers = [Feature(name, "continuous", 0.0, 1.0) for name in "abc"]
    classifier = linear([3.0, 2.0, 1.9], -4.0, numbers)
    x = torch.tensor([[0.5, 0.5, 0.5]])
    assert not bool(counterfactuals(classifier, x, fixed=["a"], count=3).changed[:, 0].any())
    dear = counterfactuals(classifier, x, weights={"a": 10.0}, count=1, sparsity=0.0)
    assert not bool(dear.changed[0, 0])


AGE = Feature("age", "integer", 18.0, 90.0)


def test_numbers_without_bounds_are_searched_in_the_range_of_the_data(boxed: Callable[[Classifier], Classifier]) -> None:
    schema = Schema(
        "tabular",
        (
            Feature("income", "continuous", scale=1000.0, unit="EUR"),
            Feature("children", "integer", scale=1.0),
            Feature("age", "integer", 18.0, 90.0),
        ),
        encoding="natural",
    )
    module = nn.Linear(3, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[0.001, -0.2, 0.0]]))
        module.bias.fill_(-3.0)
    classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
    x = torch.tensor([[2000.0, 1.0, 40.0]])
    for one in (classifier, boxed(classifier)):
        result = counterfactuals(one, x, count=1)
        assert result.changes()[0][0].feature == "income"
        assert 3200 <= float(result.values[0, 0]) <= 3210
        assert result.sentences(0)[0].startswith("This model would have decided 'yes' instead of 'no' if income had been 3,2")
        # Data that nobody earns so much in leave no way.
        none = counterfactuals(one, x, data=torch.tensor([[1000.0, 1.0, 30.0], [2500.0, 0.0, 50.0]]), count=1)
        assert not bool(none.found.any())
        assert none.changes()[0][0].after == "2,500 EUR"


def test_a_row_outside_the_bounds_may_stay_where_it_is(linear: Callable[..., Classifier]) -> None:
    numbers = [Feature(name, "continuous", 0.0, 1.0) for name in "ab"]
    classifier = linear([4.0, 4.0], -6.0, numbers)
    x = torch.tensor([[1.2, 0.1]])
    result = counterfactuals(classifier, x, count=1, rounded=False)
    assert float(result.values[0, 0]) == pytest.approx(1.2)
    assert float(result.values[0, 1]) == pytest.approx(0.3, abs=1e-3)


def test_a_row_alone_gets_what_it_gets_among_others_and_the_same_seed_the_same() -> None:
    classifier = Classifier.wrap(network(7, 12), schema=SCHEMA, classes=("no", "yes"))
    x, data = rows(66, 3), rows(50, 4)
    together = counterfactuals(classifier, x, data=data, evaluations=600)
    for row in (0, 65):
        alone, again = (counterfactuals(classifier, x[row : row + 1], data=data, evaluations=600) for _ in range(2))
        assert torch.equal(alone.values, again.values)
        assert torch.allclose(alone.values, together[row].values, atol=1e-4)
        assert torch.equal(alone.succeeds, together[row].succeeds)


def test_several_counterfactuals_of_a_row_differ_in_what_they_change(linear: Callable[..., Classifier]) -> None:
    classifier = linear([3.0, 2.9, 2.8, 2.7], -7.0, [Feature(name, "continuous", 0.0, 1.0) for name in "abcd"])
    result = counterfactuals(classifier, torch.tensor([[0.5, 0.5, 0.5, 0.5]]), count=4)
    assert [change.feature for changes in result.changes() for change in changes] == ["a", "b", "c", "d"]
    assert result.measures().diversity == 1.0


def test_what_is_said_is_what_was_tried(linear: Callable[..., Classifier]) -> None:
    classifier = linear([3.0, 2.0], -3.1234567, [Feature("amount", "continuous", 0.0, 20000.0), Feature("rate", "continuous", 1.0, 3.0)])
    x = torch.tensor([[0.137, 0.271], [0.9, 0.8]])
    result = counterfactuals(classifier, x, count=2)
    said = result.schema.decode(result.inputs[result.row])
    for index, changes in enumerate(result.changes()):
        for change in changes:
            said.loc[index, change.feature] = float(change.after.replace(",", ""))
    assert torch.equal(classifier.predict(result.schema.encode(said)), result.changed_decided)


def test_a_border_of_probabilities_is_crossed_for_sure(linear: Callable[..., Classifier]) -> None:
    classifier = linear([1.0], -0.5, [Feature("a", "continuous", 0.0, 1.0)])
    result = counterfactuals(classifier, torch.tensor([[0.1]]), rounded=False)
    decision = Decision(classifier)
    assert float(decision.margin(decision.logits(result.values), torch.tensor([1]), torch.tensor([0]))[0]) > CLEAR


NUMBERS = tuple(Feature(name, "continuous", 0.0, 1.0) for name in "ab")
X = torch.tensor([[0.5, 0.5]])


@pytest.mark.parametrize(
    ("x", "options", "error", "said"),
    [
        (X, {"count": 0}, ConfigurationError, "count must be at least 1"),
        (X, {"sparsity": -1.0}, ConfigurationError, "sparsity"),
        (X, {"plausible": 2.0}, ConfigurationError, "plausible must lie in 0 to 1"),
        (X, {"plausible": 0.1}, ConfigurationError, "give the training rows as data"),
        (X, {"evaluations": 0}, ConfigurationError, "evaluations must be at least 1"),
        (X, {"threshold": 1.0}, ConfigurationError, "threshold must lie between 0 and 1"),
        (X, {"target": "goood"}, ConfigurationError, "did you mean 'good'"),
        (X, {"target": 2}, ConfigurationError, "target must lie in 0 to 1"),
        (X, {"target": "bad"}, ConfigurationError, "decided 'bad' already, first in row 0"),
        (X, {"fixed": "a"}, ConfigurationError, "fixed must be a list"),
        (X, {"fixed": ["c"]}, ConfigurationError, "no feature 'c'"),
        (X, {"fixed": ["a", "b"]}, NotApplicableError, "no feature may change"),
        (X, {"weights": {"d": 1.0}}, ConfigurationError, "no feature 'd'"),
        (X, {"weights": {"a": float("nan")}}, ConfigurationError, "the weight of 'a'"),
        (X, {"data": X[:0]}, ConfigurationError, "data must be a batch"),
        (X, {"data": torch.tensor([[0.5, float("nan")]])}, DataError, "data must be finite"),
        (X[0], {}, ConfigurationError, "a single input x is the batch x"),
        (X[:0], {}, ConfigurationError, "at least one"),
        (torch.tensor([[0.5, float("inf")]]), {}, DataError, "inputs must be finite"),
    ],
)
def test_bad_input_gets_a_clear_error(
    linear: Callable[..., Classifier], x: Tensor, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    classifier = linear([3.0, 2.0], -4.0, NUMBERS)
    with pytest.raises(error, match=said):
        counterfactuals(classifier, x, **options)


def test_rows_that_could_not_exist_and_data_of_another_schema_are_refused(linear: Callable[..., Classifier]) -> None:
    whole = linear([3.0], -2.0, [Feature("years", "integer", 0.0, 10.0)])
    with pytest.raises(DataError, match="first in row 1"):
        counterfactuals(whole, torch.tensor([[0.1], [0.15]]))
    with pytest.raises(ConfigurationError, match="another schema"):
        counterfactuals(whole, torch.tensor([[0.1]]), data=Dataset.builtin("moons"))
    three = Classifier.wrap(nn.Linear(1, 3), schema=whole.schema, classes=("a", "b", "c"))
    with pytest.raises(ConfigurationError, match="a threshold decides between two classes"):
        counterfactuals(three, torch.tensor([[0.1]]), threshold=0.4)


def test_a_classifier_that_answers_otherwise_or_with_nothing_is_refused() -> None:
    schema = Schema("tabular", NUMBERS)
    generator = torch.Generator().manual_seed(0)

    def moody(x: Tensor) -> Tensor:
        # It behaves as long as it is tried, which is with one input or two.
        return torch.rand(len(x), generator=generator) if len(x) > 2 else torch.full((len(x),), 0.4)

    with pytest.raises(ModelError, match="same answer to the same input"):
        counterfactuals(Classifier.wrap(moody, schema=schema, classes=("no", "yes")), torch.rand(50, 2))

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(x[:, :1] > 0.9, torch.nan, x[:, :1] - 2)

    with pytest.raises(ModelError, match="not finite"):
        counterfactuals(Classifier.wrap(Broken(), schema=schema, classes=("no", "yes")), X)


def test_semifactuals_are_for_tables_only() -> None:
    from cases import cases

    dataset = cases("image", 2)
    classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), nn.Linear(256, 2)), schema=dataset.schema, classes=dataset.classes)
    with pytest.raises(NotApplicableError, match="rows of a table"):
        semifactuals(classifier, dataset.inputs[:1])
