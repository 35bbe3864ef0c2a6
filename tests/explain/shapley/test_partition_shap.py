"""Owen values of a hierarchy, beside SHAP's PartitionExplainer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.schema import Feature, Schema
from explain import attribute
from explain.games.coalitions import games
from explain.games.player_tree import Tree, branches, hierarchy, leaves
from explain.method import Task
from explain.output import Output


def tree_of(classifier: Classifier, x: Tensor, baseline: Tensor) -> Tree:
    (game,) = games(Task(Output.of(classifier, "auto"), x, torch.ones(len(x), dtype=torch.int64), baseline))
    return hierarchy(game)


def linkage(tree: Tree, count: int) -> NDArray[np.float64]:
    """The tree as SciPy and SHAP write it."""
    rows: list[list[float]] = []

    def add(branch: Tree) -> int:
        if isinstance(branch, int):
            return branch
        one, other = map(add, branch)
        rows.append([one, other, len(rows) + 1, len(leaves(branch))])
        return count + len(rows) - 1

    add(tree)
    return np.array(rows)


@pytest.mark.slow
def test_whole_trees_give_what_shaps_partition_explainer_gives(classifier: Classifier, x: Tensor) -> None:
    from shap import PartitionExplainer
    from shap.maskers import Partition

    background = torch.rand(30, 8, generator=torch.Generator().manual_seed(5))
    background[:, 1] = background[:, 0] + 0.1 * background[:, 1]

    def output(rows: NDArray[Any]) -> NDArray[Any]:
        logits = classifier.logits(torch.from_numpy(rows).float())
        return (logits[:, 1] - logits[:, 0]).numpy()

    masker = Partition(background.double().numpy(), max_samples=100, clustering=linkage(tree_of(classifier, x, background), 8))
    theirs = PartitionExplainer(output, masker)(x.double().numpy(), max_evals=10**6, silent=True)
    ours = attribute(classifier, x, "partition_shap", baseline=background)
    assert ours.exact
    assert np.allclose(ours.attributions.numpy(), theirs.values, atol=1e-5)


def test_features_that_go_together_are_joined_first(classifier: Classifier, x: Tensor) -> None:
    background = torch.rand(200, 8, generator=torch.Generator().manual_seed(5))
    background[:, 6] = 1 - background[:, 2]
    tree = tree_of(classifier, x, background)
    assert sorted(leaves(tree)) == list(range(8))
    assert "(2, 6)" in str(tree) or "(6, 2)" in str(tree)


class Corners(nn.Module):
    """The product of the mean brightness of two opposite corners, on 8 x 8 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        score = x[:, 0, :2, :2].mean((1, 2)) * x[:, 0, 6:, 6:].mean((1, 2))
        return torch.stack([torch.zeros_like(score), score], 1)


def test_an_image_is_halved_and_only_what_counts_is_lit() -> None:
    schema = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(8, 8))
    classifier = Classifier.wrap(Corners(), schema=schema, classes=("no", "yes"))
    x, dark = torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    assert sorted(map(sorted, branches(tree_of(classifier, x, dark), 4))) == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    explanation = attribute(classifier, x, "partition_shap", baseline=dark[0])
    assert explanation.exact
    by_patch = explanation.by_feature()[0]
    assert torch.allclose(by_patch[[0, 15]], torch.full((2,), 0.5, dtype=torch.float64), atol=1e-6)
    assert by_patch[1:15].abs().max() < 1e-9


def test_a_smaller_budget_lets_neighbours_share_alike_and_says_so() -> None:
    schema = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(8, 8))
    classifier = Classifier.wrap(Corners(), schema=schema, classes=("no", "yes"))
    explanation = attribute(classifier, torch.ones(1, 1, 8, 8), "partition_shap", baseline=torch.zeros(1, 8, 8), samples=40)
    assert not explanation.exact
    assert explanation.notes == ("up to 4 neighbours share alike; a larger samples tells them apart",)
    quarter = explanation.by_feature()[0, [0, 1, 4, 5]]
    assert torch.allclose(quarter, torch.full((4,), 0.125, dtype=torch.float64), atol=1e-6)
    assert explanation.completeness_error.max() < 1e-6


def test_a_series_is_divided_by_variables_first(random_network: Callable[..., nn.Module]) -> None:
    schema = Schema("sequence", (Feature("heat", "continuous", 0.0, 1.0), Feature("load", "continuous", 0.0, 1.0)), size=(4,))

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = random_network(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.flatten(1))

    classifier = Classifier.wrap(Flat(), schema=schema, classes=("no", "yes"))
    x = torch.rand(1, 4, 2)
    tree = tree_of(classifier, x, torch.zeros(1, 4, 2))
    assert not isinstance(tree, int)
    assert [{classifier.schema.names[leaf // 4] for leaf in leaves(branch)} for branch in tree] == [{"heat"}, {"load"}]
