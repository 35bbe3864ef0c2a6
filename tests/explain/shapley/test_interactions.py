"""k-SII of order 2: what players do alone, and what two do only together."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from math import factorial

import numpy as np
import pytest
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Schema
from explain import attribute
from explain.games.interacting import interactions

BASE = torch.zeros(4)


def test_a_product_is_all_in_its_pair_as_the_index_says(game: Callable[..., Classifier]) -> None:
    """Of 3 x0 x1 the pair has all, and the players have nothing alone."""
    classifier = game(lambda x: 3 * x[:, 0] * x[:, 1] - x[:, 2], 4)
    found = interactions(classifier, torch.tensor([[1.0, 0.5, 0.25, 1.0]]), baseline=BASE)
    assert found.exact
    truth = torch.zeros(4, 4, dtype=torch.float64)
    truth[0, 1] = truth[1, 0] = 1.5
    truth[2, 2] = -0.25
    assert torch.allclose(found.values[0], truth, atol=1e-6)


def test_a_sum_has_no_pairs(game: Callable[..., Classifier]) -> None:
    classifier = game(lambda x: torch.sin(5 * x[:, 0]) + x[:, 1].square() - x[:, 2] * 2, 4)
    found = interactions(classifier, torch.rand(3, 4), baseline=torch.rand(5, 4))
    assert (found.values - torch.diag_embed(found.values.diagonal(dim1=1, dim2=2))).abs().max() < 1e-6


def test_three_together_are_shared_as_bernoulli_numbers_say(game: Callable[..., Classifier]) -> None:
    """Of x0 x1 x2 the index of each pair is 1/2, and each player keeps 1/3 less two halves of it."""
    classifier = game(lambda x: x[:, 0] * x[:, 1] * x[:, 2], 4)
    found = interactions(classifier, torch.ones(1, 4), baseline=BASE).values[0, :3, :3]
    truth = torch.full((3, 3), 0.5, dtype=torch.float64)
    truth.fill_diagonal_(1 / 3 - 1 / 2)
    assert torch.allclose(found, truth, atol=1e-6)


def test_exact_values_are_those_of_the_definition(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    found = interactions(classifier, x[:2], baseline=background)
    values: dict[frozenset[int], Tensor] = {}
    for size in range(9):
        for members in combinations(range(8), size):
            mixed = background.repeat(2, 1, 1)
            mixed[:, :, list(members)] = x[:2, None, list(members)]
            logits = classifier.logits(mixed.flatten(0, 1))
            values[frozenset(members)] = (logits[:, 1] - logits[:, 0]).double().reshape(2, -1).mean(1)
    for i, j in ((0, 1), (2, 7), (5, 3)):
        index = torch.zeros(2, dtype=torch.float64)
        others = [player for player in range(8) if player not in (i, j)]
        for size in range(7):
            weight = factorial(6 - size) * factorial(size) / factorial(7)
            for inside in map(frozenset, combinations(others, size)):
                index += weight * (values[inside | {i, j}] - values[inside | {i}] - values[inside | {j}] + values[inside])
        assert torch.allclose(found.values[:, i, j], index, atol=1e-5)
        assert torch.equal(found.values[:, i, j], found.values[:, j, i])
    shapley = attribute(classifier, x[:2], "exact_shapley", baseline=background).attributions
    assert torch.allclose(found.shapley, shapley, atol=1e-6)
    assert found.completeness_error.max() < 1e-5


def test_pairs_are_both_halves_of_shaps_interaction_values_of_a_tree(numbers: Callable[[int], Schema]) -> None:
    """SHAP follows the tree's own counts, which tell the same game where the training rows are all that there can be."""
    from shap import TreeExplainer
    from sklearn.tree import DecisionTreeRegressor

    every = np.array(list(product((0.0, 1.0), repeat=4)), dtype=np.float32)
    worth = np.random.default_rng(0).random(16)
    tree = DecisionTreeRegressor(random_state=0).fit(every, worth)
    classifier = Classifier.wrap(lambda x: torch.from_numpy(tree.predict(x.numpy())), schema=numbers(4), classes=("no", "yes"))
    theirs = torch.from_numpy(TreeExplainer(tree).shap_interaction_values(every))
    found = interactions(classifier, torch.from_numpy(every), baseline=torch.from_numpy(every), output="probability")
    assert torch.allclose(found.values.diagonal(dim1=1, dim2=2), theirs.diagonal(dim1=1, dim2=2), atol=1e-5)
    off = ~torch.eye(4, dtype=torch.bool)
    assert torch.allclose(found.values[:, off], 2 * theirs[:, off], atol=1e-5)


def test_sampled_pairs_are_near_the_exact_ones_by_their_standard_errors(wide: Classifier, rows: Tensor) -> None:
    truth = interactions(wide, rows)
    assert truth.exact
    runs = [interactions(wide, rows, samples=400, seed=seed) for seed in range(6)]
    assert not any(run.exact for run in runs)
    error = torch.stack([run.values - truth.values for run in runs])
    stated = torch.stack([run.standard_error for run in runs if run.standard_error is not None])
    assert 0.8 < stated.square().mean().sqrt() / error.square().mean().sqrt() < 1.6
    assert error.square().mean() < 0.05 * truth.values.square().mean()
    assert runs[0].completeness_error.max() < 1e-5


def test_a_game_of_pairs_is_sampled_without_error(game: Callable[..., Classifier]) -> None:
    weights = torch.randn(14, 14, generator=torch.Generator().manual_seed(1))
    classifier = game(lambda x: torch.einsum("ni,ij,nj->n", x, weights, x), 14)
    x = torch.rand(2, 14, generator=torch.Generator().manual_seed(2))
    found = interactions(classifier, x, baseline=torch.zeros(14), samples=300)
    assert not found.exact
    pairs = (weights + weights.T).double() * x[:, :, None] * x[:, None, :]
    off = ~torch.eye(14, dtype=torch.bool)
    assert torch.allclose(found.values[:, off], pairs[:, off], atol=1e-4)


def test_one_row_gets_what_it_gets_among_others_and_absent_players_nothing(reader: Classifier, texts: Tensor) -> None:
    many, one = interactions(reader, texts), interactions(reader, texts[2:3])
    assert torch.allclose(many.values[2:3], one.values, atol=1e-6)
    absent = texts == 0
    assert (many.values[absent[:, :, None] | absent[:, None, :]] == 0).all()
    assert set(many[0].to_frame()["player"]) == {"token 1", "token 2", "token 3"}
    assert torch.equal(interactions(reader, texts, seed=1).values, many.values), "9 tokens are enumerated, whatever the seed"


def test_the_table_and_the_picture_say_the_largest_first(credit: Classifier, applicants: Tensor) -> None:
    found = interactions(credit, applicants)
    frame = found[0].to_frame()
    assert len(frame) == 6
    assert frame["value"].abs().is_monotonic_decreasing
    assert float(frame["value"].sum()) == pytest.approx(float(found.value[0] - found.base_value[0]), abs=1e-5)
    # The first row's amount is the baseline's own, and counts for nothing but rounding; the second row's is not.
    assert found[1].to_frame().set_index("player").loc["amount", "value"].abs().max() > 0.01
    ax = found[1].plot()
    assert "amount" in [label.get_text().split(" = ")[0] for label in ax.get_yticklabels()]
    assert found.unit == "log-odds of bad & <late>"
    title = found.plot(limit=2).get_title(loc="left").replace("\n", " ")
    assert title == "Alone (diagonal, bold) and only together: 3 rows; 1 players with less not shown"
    assert "bad &amp; &lt;late&gt;" in found._repr_html_()


def test_bad_input_is_refused(wide: Classifier, rows: Tensor) -> None:
    with pytest.raises(NotApplicableError, match="pairs of 11 players need samples=132 or more, got 100"):
        interactions(wide, rows, samples=100)
    with pytest.raises(ConfigurationError, match="samples must be at least 2, got 0"):
        interactions(wide, rows, samples=0)
    with pytest.raises(ConfigurationError, match="the batch x\\[None\\]"):
        interactions(wide, rows[0])
