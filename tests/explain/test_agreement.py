"""The methods agree with Captum, SHAP and closed forms where those compute the same thing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.schema import Feature, Schema
from classifier.seeds import Seed
from explain import attribute
from explain.known_answers import measure_known_answers


def log_odds(classifier: Classifier) -> Callable[[NDArray[np.float64]], NDArray[np.float32]]:
    def function(rows: NDArray[np.float64]) -> NDArray[np.float32]:
        logits = classifier.logits(torch.from_numpy(rows).float())
        return (logits[:, 1] - logits[:, 0]).numpy()

    return function


def test_every_known_answer_holds() -> None:
    answers = measure_known_answers(Seed(3))
    assert len(answers) == 5
    assert all(answer.holds for answer in answers), answers


def test_integrated_gradients_equal_captums(ten_classes: Classifier, x: Tensor) -> None:
    from captum.attr import IntegratedGradients

    explanation = attribute(ten_classes, x, "integrated_gradients", steps=20, baseline=torch.zeros(8))
    theirs = IntegratedGradients(ten_classes.module).attribute(x, torch.zeros_like(x), target=ten_classes.predict(x), n_steps=20)
    assert torch.allclose(explanation.attributions.float(), theirs, atol=1e-6)


def test_integrated_gradients_do_not_depend_on_how_the_batch_is_cut(
    classifier: Classifier, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = attribute(classifier, x, "integrated_gradients")
    monkeypatch.setattr("explain.gradients.continuum._CACHED", 16)
    assert torch.allclose(attribute(classifier, x, "integrated_gradients").attributions, whole.attributions, atol=1e-6)


def test_more_steps_leave_a_smaller_completeness_error(classifier: Classifier, x: Tensor) -> None:
    errors = [attribute(classifier, x, "integrated_gradients", steps=steps).completeness_error.mean() for steps in (2, 16, 256)]
    assert errors[0] > 4 * errors[1] > 16 * errors[2]


@pytest.mark.parametrize("method", ["exact_shapley", "kernel_shap"])
def test_shapley_values_equal_shaps_over_a_background(method: str, classifier: Classifier, x: Tensor, background: Tensor) -> None:
    from shap.explainers import ExactExplainer
    from shap.maskers import Independent

    explanation = attribute(classifier, x, method, baseline=background)
    theirs = ExactExplainer(log_odds(classifier), Independent(background.double().numpy(), max_samples=100))(x.double().numpy())
    assert explanation.exact
    assert np.allclose(explanation.attributions.numpy(), theirs.values, atol=1e-5)
    assert np.allclose(explanation.base_value.numpy(), theirs.base_values, atol=1e-5)


def test_a_one_hot_group_is_one_player_of_the_game(credit: Classifier, applicants: Tensor) -> None:
    base = torch.tensor([0.1, 0.2, 0.3, 0.5, 0.6])
    columns = {"amount": [0], "purpose <b>": [1, 2, 3], "rate": [4]}

    def value(row: Tensor, players: tuple[str, ...]) -> float:
        mixed = base.clone()
        for player in players:
            mixed[columns[player]] = row[columns[player]]
        logits = credit.logits(mixed[None])[0]
        return float(logits[1] - logits[0])

    truth = torch.zeros(3, 3, dtype=torch.float64)
    for index, row in enumerate(applicants):
        for order in permutations(columns):
            for place, player in enumerate(order):
                truth[index, list(columns).index(player)] += (value(row, order[: place + 1]) - value(row, order[:place])) / 6
    for method in ("exact_shapley", "kernel_shap"):
        explanation = attribute(credit, applicants, method, baseline=base)
        assert torch.allclose(explanation.by_feature(), truth, atol=1e-5)
        # The credit lies on the category that the row has.
        assert (explanation.attributions[:, 1:4][applicants[:, 1:4] == 0] == 0).all()


def test_permutations_are_exact_for_interactions_of_two(numbers: Callable[[int], Schema]) -> None:
    def product(x: Tensor) -> Tensor:
        score = 3 * x[:, 0] * x[:, 1] - x[:, 2]
        return torch.stack([torch.zeros_like(score), score], dim=1).softmax(1)

    pair = Classifier.wrap(product, schema=numbers(3), classes=("no", "yes"))
    explanation = attribute(pair, torch.tensor([[1.0, 0.5, 0.25]]), "permutation_shap", permutations=2, baseline=torch.zeros(3))
    assert torch.allclose(explanation.attributions, torch.tensor([[0.75, 0.75, -0.25]], dtype=torch.float64), atol=1e-5)


def test_permutations_leave_the_global_random_stream_alone(black_box: Classifier, x: Tensor) -> None:
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    attribute(black_box, x[:1], "permutation_shap")
    assert np.random.random() == expected


@pytest.mark.parametrize("classes", [1, 2])
def test_a_single_player_gets_the_whole_change(
    classes: int, random_network: Callable[..., nn.Module], numbers: Callable[[int], Schema]
) -> None:
    schema = numbers(1) if classes == 1 else Schema("tabular", (Feature("g", "categorical", categories=("a", "b")),))
    width = schema.shape[0]
    alone = Classifier.wrap(random_network(width, 2), schema=schema, classes=("no", "yes"))
    x, baseline = torch.eye(width)[:1], torch.full((width,), 0.25)
    for method in ("exact_shapley", "kernel_shap", "permutation_shap"):
        explanation = attribute(alone, x, method, baseline=baseline)
        assert torch.allclose(explanation.by_feature()[:, 0], explanation.value - explanation.base_value, atol=1e-6)
