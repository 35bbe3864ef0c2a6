"""Owen values: what groups get is divided within them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, permutations

import pytest
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Feature, Schema
from explain import attribute, available
from explain.games.coalitions import games
from explain.games.player_tree import Tree, branches, hierarchy
from explain.method import Task
from explain.output import Output

GROUPS = (("x0", "x3"), ("x1", "x4", "x2"))


def outputs(classifier: Classifier, x: Tensor) -> Tensor:
    logits = classifier.logits(x)
    return (logits[:, 1] - logits[:, 0]).double()


@pytest.fixture(scope="module")
def five(random_network: Callable[..., torch.nn.Module], numbers: Callable[[int], Schema]) -> Classifier:
    return Classifier.wrap(random_network(5, 2), schema=numbers(5), classes=("no", "yes"))


@pytest.fixture(scope="module")
def cases() -> Tensor:
    return torch.rand(3, 5, generator=torch.Generator().manual_seed(9))


def tree_of(classifier: Classifier, x: Tensor, baseline: Tensor) -> Tree:
    (game,) = games(Task(Output.of(classifier, "auto"), x, torch.ones(len(x), dtype=torch.int64), baseline))
    return hierarchy(game)


def by_hand(classifier: Classifier, x: Tensor, groups: tuple[tuple[int, ...], ...]) -> Tensor:
    """The mean over all orders in which groups arrive one after the other, from the middle of the bounds."""
    orders = [
        list(chain(*arrangement))
        for arranged in permutations(groups)
        for arrangement in _each([list(permutations(group)) for group in arranged])
    ]
    truth = torch.zeros(len(x), x.shape[1], dtype=torch.float64)
    for order in orders:
        mixed = torch.full_like(x, 0.5)
        before = outputs(classifier, mixed)
        for player in order:
            mixed[:, player] = x[:, player]
            after = outputs(classifier, mixed)
            truth[:, player] += (after - before) / len(orders)
            before = after
    return truth


def _each(choices: list[list[tuple[int, ...]]]) -> list[list[tuple[int, ...]]]:
    return [[]] if not choices else [[first, *rest] for first in choices[0] for rest in _each(choices[1:])]


def test_owen_values_are_the_mean_over_all_orders_that_keep_groups_together(five: Classifier, cases: Tensor) -> None:
    explanation = attribute(five, cases, "owen_values", groups=GROUPS)
    assert explanation.exact
    assert torch.allclose(explanation.attributions, by_hand(five, cases, ((0, 3), (1, 4, 2))), atol=1e-5)


@pytest.mark.parametrize("groups", [tuple((f"x{i}",) for i in range(5)), (tuple(f"x{i}" for i in range(5)),), (("x2",),)])
def test_with_groups_of_one_or_one_of_all_they_are_shapley_values(
    groups: tuple[tuple[str, ...], ...], five: Classifier, cases: Tensor
) -> None:
    owen = attribute(five, cases, "owen_values", groups=groups)
    shapley = attribute(five, cases, "exact_shapley")
    assert torch.allclose(owen.attributions, shapley.attributions, atol=1e-6)


def test_a_group_gets_the_shapley_value_that_it_has_as_one_player(five: Classifier, cases: Tensor) -> None:
    values = attribute(five, cases, "owen_values", groups=GROUPS).attributions
    groups = [[0, 3], [1, 4, 2]]
    totals = torch.stack([values[:, group].sum(1) for group in groups], 1)
    worth = []
    for members in ([], groups[0], groups[1], [*groups[0], *groups[1]]):
        mixed = torch.full_like(cases, 0.5)
        mixed[:, members] = cases[:, members]
        worth.append(outputs(five, mixed))
    first = (worth[1] - worth[0] + worth[3] - worth[2]) / 2
    assert torch.allclose(totals, torch.stack([first, worth[3] - worth[0] - first], 1), atol=1e-6)


def test_features_that_say_the_same_share_what_their_group_gets(game: Callable[..., Classifier]) -> None:
    """Income twice, and a switch: alone against two, the switch gets half only if the two arrive together."""
    classifier = game(lambda x: torch.maximum(x[:, 0], x[:, 1]) * x[:, 2], 3)
    x, baseline = torch.ones(1, 3), torch.zeros(3)
    owen = attribute(classifier, x, "owen_values", groups=(("x0", "x1"),), baseline=baseline).attributions
    shapley = attribute(classifier, x, "exact_shapley", baseline=baseline).attributions
    assert torch.allclose(owen, torch.tensor([[0.25, 0.25, 0.5]], dtype=torch.float64), atol=1e-6)
    assert torch.allclose(shapley, torch.tensor([[1 / 6, 1 / 6, 2 / 3]], dtype=torch.float64), atol=1e-6)


def test_sampled_values_are_near_the_exact_ones_by_their_standard_errors(wide: Classifier, rows: Tensor) -> None:
    groups = (("x0", "x1", "x2", "x3"), ("x4", "x5", "x6", "x7"), ("x8", "x9"))
    truth = attribute(wide, rows, "owen_values", groups=groups, samples=2**12)
    assert truth.exact
    runs = [attribute(wide, rows, "owen_values", groups=groups, samples=100, seed=seed) for seed in range(30)]
    assert not any(run.exact for run in runs)
    error = torch.stack([run.attributions - truth.attributions for run in runs])
    stated = torch.stack([run.standard_error for run in runs if run.standard_error is not None])
    assert 0.8 < stated.square().mean().sqrt() / error.square().mean().sqrt() < 1.25
    assert runs[0].completeness_error.max() < 1e-5


def test_a_table_needs_groups_or_a_background_that_tells_them(five: Classifier, cases: Tensor) -> None:
    with pytest.raises(NotApplicableError, match=r"needs groups of players.* background of 10 rows or more, got 1"):
        attribute(five, cases, "owen_values")
    background = torch.rand(40, 5, generator=torch.Generator().manual_seed(1))
    background[:, 3] = background[:, 0] + 0.01 * background[:, 3]
    together = attribute(five, cases, "owen_values", baseline=background)
    assert together.exact
    tree = branches(tree_of(five, cases, background), 2)
    named = tuple(tuple(f"x{leaf}" for leaf in branch) for branch in tree)
    assert any({"x0", "x3"} <= set(group) for group in named)
    assert torch.allclose(
        together.attributions, attribute(five, cases, "owen_values", baseline=background, groups=named).attributions, atol=1e-6
    )


def test_an_image_has_its_quarters_for_groups(game: Callable[..., Classifier]) -> None:
    schema = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(4, 4))

    def corner(x: Tensor) -> Tensor:
        bright = x[:, 0, :2, :2].mean((1, 2)) * x[:, 0, 2:, 2:].mean((1, 2))
        return torch.stack([torch.zeros_like(bright), bright], 1)

    class Corner(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return corner(x)

    classifier = Classifier.wrap(Corner(), schema=schema, classes=("no", "yes"))
    explanation = attribute(classifier, torch.ones(1, 1, 4, 4), "owen_values", baseline=torch.zeros(1, 4, 4))
    assert explanation.exact
    truth = torch.zeros(4, 4, dtype=torch.float64)
    truth[:2, :2] = truth[2:, 2:] = 1 / 8
    assert torch.allclose(explanation.attributions[0, 0], truth, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": (("x0", "x1"), ("x1",))}, "each player is in one group, and x1 in several"),
        ({"groups": ((),)}, "each group needs a player"),
        ({"groups": (("x0", "y1"),)}, "there is no player 'y1'; there are: x0, x1"),
        ({"groups": (("x0", "x1"),), "samples": 4}, "samples must be at least 8, got 4"),
    ],
)
def test_wrong_groups_are_refused(options: dict[str, object], message: str, five: Classifier, cases: Tensor) -> None:
    with pytest.raises(ConfigurationError, match=message):
        attribute(five, cases, "owen_values", **options)


def test_too_few_samples_are_refused(wide: Classifier, rows: Tensor) -> None:
    with pytest.raises(NotApplicableError, match="11 players need samples=44 or more, got 30"):
        attribute(wide, rows, "owen_values", groups=(("x0", "x1"),), samples=30)


def test_what_applies_says_what_is_missing(five: Classifier) -> None:
    entries = {entry.method: entry for entry in available(five)}
    assert "groups=" in entries["owen_values"].reason
    assert "background of 10 rows" in entries["partition_shap"].reason
    assert {entry.method for entry in available(five, background=10) if entry.applies} >= {"owen_values", "partition_shap"}
