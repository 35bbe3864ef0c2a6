"""Orders of arrival, walked forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.classifier import Classifier
from explain import attribute
from explain.games.arrivals import shares_of_orders
from explain.games.coalitions import games
from explain.method import Task
from explain.output import Output


@pytest.mark.slow
def test_one_order_gives_what_shaps_permutation_explainer_gives(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    from shap import PermutationExplainer
    from shap.maskers import Independent

    def output(rows: NDArray[Any]) -> NDArray[Any]:
        logits = classifier.logits(torch.from_numpy(rows).float())
        return (logits[:, 1] - logits[:, 0]).numpy()

    state = np.random.get_state()
    explainer = PermutationExplainer(output, Independent(background.double().numpy(), max_samples=100), seed=3)
    theirs = [explainer(x[row : row + 1].double().numpy(), max_evals=17, silent=True).values[0] for row in range(len(x))]
    # SHAP draws an order for each row from NumPy's global stream, and walks it backwards too.
    np.random.seed(3)
    orders = []
    for _ in range(len(x)):
        order = np.arange(8)
        np.random.shuffle(order)
        orders.append(torch.from_numpy(order))
    np.random.set_state(state)
    task = Task(Output.of(classifier, "auto"), x, torch.ones(5, dtype=torch.int64), background)
    (game,) = games(task)
    ours = torch.stack([shares_of_orders(game, order.expand(2, -1)).values[row] for row, order in enumerate(orders)])
    assert np.allclose(ours.numpy(), np.stack(theirs), atol=1e-5)


def test_standard_errors_tell_the_size_of_the_error(wide: Classifier, rows: Tensor) -> None:
    truth = attribute(wide, rows, "exact_shapley").attributions
    runs = [attribute(wide, rows, "permutation_shap", permutations=8, seed=seed) for seed in range(20)]
    error = torch.stack([run.attributions - truth for run in runs])
    stated = torch.stack([run.standard_error for run in runs if run.standard_error is not None])
    assert 0.85 < stated.square().mean().sqrt() / error.square().mean().sqrt() < 1.15
    assert (error.mean(0).abs() < 5 * stated.square().mean(0).sqrt() / 20**0.5 + 1e-6).all()


@pytest.mark.parametrize("kept", [1, 10**7])
def test_orders_give_the_same_however_the_work_is_cut(
    kept: int, classifier: Classifier, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = attribute(classifier, x, "permutation_shap", permutations=5)
    monkeypatch.setattr("explain.games.arrivals._KEPT", kept)
    again = attribute(classifier, x, "permutation_shap", permutations=5)
    assert torch.allclose(whole.attributions, again.attributions, atol=1e-6)
    assert whole.standard_error is not None
    assert again.standard_error is not None
    assert torch.allclose(whole.standard_error, again.standard_error, atol=1e-6)


def test_games_of_pairs_have_no_error(game: Callable[..., Classifier]) -> None:
    classifier = game(lambda x: 3 * x[:, 0] * x[:, 1] - x[:, 2] * x[:, 3] + x[:, 4], 5)
    x = torch.rand(4, 5, generator=torch.Generator().manual_seed(1))
    values, truth = (attribute(classifier, x, method, baseline=torch.zeros(5)) for method in ("permutation_shap", "exact_shapley"))
    assert torch.allclose(values.attributions, truth.attributions, atol=1e-6)
    assert values.standard_error is not None
    assert values.standard_error.max() < 1e-6
