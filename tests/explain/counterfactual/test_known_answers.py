"""Counterfactuals whose smallest change is known: by a closed form, or by trying every row there is."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classifier import Dataset
from classifier.classifier import Classifier
from classifier.schema import Feature, Schema
from explain.counterfactual.finding import counterfactuals
from explain.counterfactual.space import Space


def numbers(count: int) -> list[Feature]:
    return [Feature(f"x{index}", "continuous", 0.0, 1.0) for index in range(count)]


@pytest.mark.parametrize("box", [False, True], ids=["network", "black box"])
@pytest.mark.parametrize(("count", "hard"), [(5, False), (5, True), (12, False), (12, True), (30, False)])
def test_the_least_change_of_a_linear_classifier_is_the_closed_form(
    linear: Callable[..., Classifier],
    boxed: Callable[[Classifier], Classifier],
    least_change: Callable[[Tensor, Tensor, float], float],
    count: int,
    hard: bool,
    box: bool,
) -> None:
    generator = torch.Generator().manual_seed(count)
    weights = torch.randn(count, generator=generator)
    x = torch.rand(12, count, generator=generator)
    # Where it is hard, several features must go to their bounds.
    bias = -float((x @ weights).mean()) - (0.25 * float(weights.abs().sum()) if hard else 0.0)
    classifier = linear(weights.tolist(), bias, numbers(count))
    result = counterfactuals(boxed(classifier) if box else classifier, x, count=1, sparsity=0.0, rounded=False)
    wanted = torch.tensor([least_change(row, weights, bias) for row in x])
    assert result.found.all()
    assert bool(((result.distance - wanted).abs() <= 1e-3 + 0.01 * wanted).all()), (result.distance / wanted).tolist()


def test_a_whole_number_goes_to_the_next_one_beyond_the_border(linear: Callable[..., Classifier]) -> None:
    classifier = linear([10.0], -5.0, [Feature("years", "integer", 0.0, 30.0)])
    x = torch.tensor([[3 / 30], [14 / 30], [16 / 30], [30 / 30]])
    result = counterfactuals(classifier, x, count=1)
    # The border is at 15, and whoever stands on it is decided neither way for sure.
    assert [change[0].after for change in result.changes()] == ["16", "16", "14", "14"]
    assert result.to_frame()["difference"].tolist() == [13, 2, -2, -16]


def every_row(schema: Schema) -> Tensor:
    columns = [
        torch.eye(feature.width) if feature.kind == "categorical" else torch.linspace(0, 1, int(feature.span) + 1)[:, None]
        for feature in schema.features
    ]
    choices = itertools.product(*(range(len(column)) for column in columns))
    return torch.stack([torch.cat([column[at] for column, at in zip(columns, choice, strict=True)]) for choice in choices])


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_a_small_table_gives_what_trying_every_row_gives(seed: int) -> None:
    schema = Schema(
        "tabular",
        (
            Feature("a", "integer", 0.0, 6.0),
            Feature("b", "categorical", categories=tuple("pqrs")),
            Feature("c", "integer", 0.0, 4.0),
            Feature("d", "binary", 0.0, 1.0),
            Feature("e", "categorical", categories=tuple("uvw")),
            Feature("f", "integer", 1.0, 5.0),
        ),
    )
    generator = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(len(schema.columns), 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.6 * torch.randn(parameter.shape, generator=generator))
    classifier = Classifier.wrap(module, schema=schema, classes=("a", "b", "c"))
    rows = every_row(schema)
    decided = classifier.predict(rows)
    x = rows[torch.randperm(len(rows), generator=generator)[:40]]
    result = counterfactuals(classifier, x, count=1)
    space = Space(schema, x, fixed=(), weights={}, sparsity=0.05, data=None)
    others = [rows[decided != now] for now in classifier.predict(x)]
    best = torch.stack([space.cost(other, torch.full((len(other),), index)).min() for index, other in enumerate(others)])
    excess = space.cost(result.values, result.row) / best - 1
    assert result.found.all()
    assert float(excess.min()) > -1e-5
    # It is a search: all but a few are the very best (98 % over many such tables), and no other is much dearer.
    assert float((excess < 1e-4).float().mean()) >= 0.9
    assert float(excess.max()) < 0.3


def test_a_planted_decisive_feature_is_found_and_one_that_cannot_change_is_not(linear: Callable[..., Classifier]) -> None:
    free = linear([9.0, 1.0, 0.0], -5.0, numbers(3))
    x = torch.tensor([[0.2, 0.5, 0.5]])
    assert [change.feature for change in counterfactuals(free, x, count=1).changes()[0]] == ["x0"]
    kept = linear([9.0, 1.0, 9.0], -5.0, [Feature("rate", "continuous", 0.0, 1.0, mutable=False), *numbers(2)])
    result = counterfactuals(kept, torch.tensor([[0.2, 0.5, 0.0]]), count=3)
    assert bool(result.found.all())
    assert not bool(result.changed[:, 0].any())


def test_where_none_exists_the_search_ends_and_gives_the_closest(linear: Callable[..., Classifier]) -> None:
    constant = linear([0.0, 0.0], -1.0, numbers(2))
    result = counterfactuals(constant, torch.rand(3, 2), evaluations=500)
    assert not bool(result.found.any())
    assert torch.equal(result.values, result.inputs)
    assert int(result.evaluations.max()) <= 500
    assert result.sentences(0)[0].startswith(f"None found in {int(result.evaluations[0])} evaluations")
    assert "No change raised its probability of 'good' (now 0.27)." in result.sentences(0)[0]
    # As far as it goes: both numbers at their best end, whose probability is known.
    far = linear([1.0, 2.0], -4.0, numbers(2))
    closest = counterfactuals(far, torch.tensor([[0.5, 0.1]]))
    assert torch.equal(closest.values, torch.ones(1, 2))
    assert float(closest.probability_after[0]) == pytest.approx(float(torch.sigmoid(torch.tensor(-1.0))), abs=1e-6)
    assert "None found" in closest.as_text()
    assert "The closest is" in closest.as_text()


def test_a_threshold_moves_the_border(linear: Callable[..., Classifier]) -> None:
    classifier = linear([10.0], -5.0, numbers(1))
    for threshold in (0.2, 0.5, 0.9):
        border = 0.5 + torch.logit(torch.tensor(threshold)) / 10
        for start in (0.05, 0.95):
            result = counterfactuals(classifier, torch.tensor([[start]]), threshold=threshold, rounded=False)
            assert float(result.values[0, 0]) == pytest.approx(float(border), abs=1e-4)
            assert int(result.changed_decided[0]) == int(start < border)


def test_a_wanted_class_of_many_is_reached() -> None:
    generator = torch.Generator().manual_seed(5)
    module = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 5))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    classifier = Classifier.wrap(module, schema=Schema("tabular", tuple(numbers(4))), classes=[f"class {index}" for index in range(5)])
    x = torch.rand(20, 4, generator=generator)
    x = x[classifier.predict(x) != 2]
    result = counterfactuals(classifier, x, target="class 2", count=1)
    good = result.succeeds
    assert bool(good.any())
    assert bool((classifier.predict(result.values)[good] == 2).all())
    anything = counterfactuals(classifier, x, count=1)
    assert bool((anything.distance[good[: len(anything.distance)]] <= result.distance[good] + 1e-3).all())


def test_counterfactuals_of_moons_are_plausible_where_that_is_asked(moons_classifier: tuple[Classifier, Dataset]) -> None:
    classifier, train = moons_classifier
    x = train.inputs[:20]
    near = counterfactuals(classifier, x, data=train, count=1)
    real = counterfactuals(classifier, x, data=train, count=1, plausible=0.2)
    assert bool(near.found.all())
    assert bool(real.found.all())
    assert float(real.plausibility.min()) >= 0.2
    assert float(real.plausibility.mean()) > float(near.plausibility.mean())
    # What is asked for costs something.
    assert bool((real.distance + 0.05 * real.count >= near.distance + 0.05 * near.count - 2e-3).all())
    assert bool((classifier.predict(real.values) != real.decided[real.row]).all())


@pytest.fixture(scope="module")
def moons_classifier() -> tuple[Classifier, Dataset]:
    from trainer import Recipe, train

    splits = Dataset.builtin("moons").split()
    return train(splits, Recipe("mlp", hidden=(16, 16), epochs=60), progress=False), splits.train
