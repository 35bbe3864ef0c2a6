"""What the scores must be where that is known: by retraining, by formulas, and by Captum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from classifier import Classifier, Dataset
from classifier.seeds import Seed
from explain.training_data import curvature
from explain.training_data.curvature import GaussNewton, Hessian
from explain.training_data.gradients import RowGradients
from explain.training_data.influencing import training_influence
from explain.training_data.loss import TrainingLoss
from explain.training_data.method import InfluenceTask
from explain.training_data.projection import Projection
from explain.training_data.row_products import RowProducts, products, squares
from explain.training_data.solving import conjugate_gradients, solve_exactly

Make = Callable[..., Dataset]
Fit = Callable[..., Classifier]


@pytest.mark.parametrize(("classes", "weights"), [(2, None), (4, None), (3, (1.0, 2.0, 0.5))])
def test_influence_functions_are_what_retraining_without_a_row_does(
    make_rows: Make, fit_linear: Fit, classes: int, weights: tuple[float, ...] | None
) -> None:
    rows, each = make_rows(400, 5, classes), None if weights is None else torch.tensor(weights)
    x, target = make_rows(6, 5, classes, seed=1).inputs, torch.arange(6) % classes
    classifier = fit_linear(rows, l2=0.01, weights=each)
    found = training_influence(classifier, rows, x, method="influence_functions", target=target, damping=0.0)
    before = cross_entropy(classifier.logits(x), target, reduction="none")
    some = range(0, 400, 40)
    truth = torch.stack(
        [cross_entropy(fit_linear(rows, l2=0.01, weights=each, without=row).logits(x), target, reduction="none") - before for row in some],
        dim=1,
    )
    scores, truth = found.scores[:, ::40].flatten().double().numpy(), truth.flatten().double().numpy()
    assert np.corrcoef(scores, truth)[0, 1] > 0.99
    # What is left out of the first order is about as much as a row is of the data: weights / rows.
    assert np.polyfit(scores, truth, 1)[0] == pytest.approx(1, abs=0.06)
    assert not found.notes  # at rest, and solved exactly


def test_the_gauss_newton_matrix_of_a_linear_classifier_is_its_hessian(make_rows: Make, fit_linear: Fit) -> None:
    rows = make_rows(40, 4, 3)
    task = _task(fit_linear(rows, l2=0.1, weights=torch.tensor([1.0, 3.0, 0.5])), rows)
    loss = replace(TrainingLoss.of(task.classifier), label_smoothing=0.2)
    newton, hessian = GaussNewton(task, RowGradients(task.classifier), loss), Hessian(task, RowGradients(task.classifier), loss)
    assert torch.allclose(newton.matrix(), hessian.matrix(), atol=1e-6)
    assert newton.matrix().norm() > 0.1


def test_curvature_is_the_same_by_its_factor_without_it_and_as_a_matrix(
    network: Classifier, rows: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, vectors = _task(network, rows), torch.randn(3, 123, generator=torch.Generator().manual_seed(0))
    newton = GaussNewton(task, RowGradients(network), TrainingLoss.of(network))
    by_matrix, by_factor = (vectors.double() @ newton.matrix()).float(), newton(vectors)
    monkeypatch.setattr(curvature, "_KEPT", 0)
    assert torch.allclose(by_factor, by_matrix, atol=1e-5)
    assert torch.allclose(newton(vectors), by_matrix, atol=1e-5)


def test_conjugate_gradients_solve_what_a_factor_solves_and_tell_what_is_left() -> None:
    generator = torch.Generator().manual_seed(0)
    root, right = torch.randn(30, 30, generator=generator), torch.randn(4, 30, generator=generator)
    right[2] = 0
    matrix = root @ root.T
    exact = solve_exactly(matrix.double(), 0.5, right)
    found, residual = conjugate_gradients(lambda v: v @ matrix, right, damping=0.5, steps=200, tolerance=1e-6, advance=lambda message: None)
    assert residual < 1e-5
    assert torch.allclose(found, exact.float(), atol=1e-4)
    _, left = conjugate_gradients(lambda v: v @ matrix, right, damping=0.5, steps=2, tolerance=1e-6, advance=lambda message: None)
    assert left > 0.01


def test_tracin_is_what_captum_gives(make_rows: Make, make_network: Callable[..., nn.Module]) -> None:
    from captum.influence import TracInCP

    rows = make_rows(40, 6, 3)
    networks = {str(seed): make_network(6, 3, seed=seed) for seed in range(3)}
    rates = {"0": 0.1, "1": 0.05, "2": 0.01}
    x, target = make_rows(5, 6, 3, seed=3).inputs, torch.tensor([0, 1, 2, 0, 1])

    def load(module: nn.Module, name: str) -> float:
        module.load_state_dict(networks[name].state_dict())
        return rates[name]

    peer = TracInCP(
        make_network(6, 3, seed=9), torch.utils.data.TensorDataset(rows.inputs, rows.labels), list(networks), checkpoints_load_func=load,
        loss_fn=nn.CrossEntropyLoss(reduction="sum"), batch_size=8, sample_wise_grads_per_batch=True,
    )  # fmt: skip
    stages = [Classifier.wrap(module, schema=rows.schema, classes=rows.classes) for module in networks.values()]
    found = training_influence(
        stages[-1], rows, x, method="tracin", target=target, checkpoints=stages, learning_rates=tuple(rates.values())
    )
    assert torch.allclose(found.scores, peer.influence((x, target)), atol=1e-6)
    assert found.scores.abs().max() > 0.01


def test_a_tracin_score_is_what_a_small_step_on_the_row_takes_off_the_loss(network: Classifier, rows: Dataset, asked: Tensor) -> None:
    rate, target = 1e-3, torch.zeros(4, dtype=torch.int64)
    found = training_influence(network, rows, asked, method="tracin", target=0, learning_rates=(rate,))
    before = cross_entropy(network.logits(asked).double(), target, reduction="none")
    for row in (0, 7, 31):
        assert network.module is not None
        module = Classifier.wrap(network.module, schema=rows.schema, classes=rows.classes).module
        assert module is not None
        module.requires_grad_().double()
        cross_entropy(module(rows.inputs[row : row + 1].double()), rows.labels[row : row + 1]).backward()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter -= rate * parameter.grad
            after = cross_entropy(module(asked.double()), target, reduction="none")
        assert torch.allclose(found.scores[:, row].double(), before - after, rtol=0.05, atol=2e-6)


def test_trak_without_projection_is_its_formula(make_rows: Make, fit_linear: Fit) -> None:
    rows = make_rows(50, 4, 2)
    classifier = fit_linear(rows, l2=0.01)
    x = make_rows(3, 4, 2, seed=2).inputs
    found = training_influence(classifier, rows, x, method="trak", target=1, damping=1e-6, projections=10)

    def gradients(inputs: Tensor, labels: Tensor) -> Tensor:
        """Of z_label - z_other by both rows of weights and both biases, in the order of the parameters."""
        sign = (2 * labels - 1).double()[:, None]
        inputs = inputs.double()
        return torch.cat([-sign * inputs, sign * inputs, -sign, sign], dim=1)

    phi, own = gradients(rows.inputs, rows.labels), gradients(x, torch.ones(3, dtype=torch.int64))
    kernel = phi.T @ phi
    kernel += 1e-6 * kernel.diagonal().mean() * torch.eye(10)
    doubt = 1 - classifier.probabilities(rows.inputs).gather(1, rows.labels[:, None])[:, 0].double()
    truth = own @ torch.linalg.solve(kernel, phi.T) * doubt
    assert torch.allclose(found.scores.double(), truth, rtol=1e-3, atol=1e-5)


def test_a_projection_keeps_products_on_average_and_short_vectors_as_they_are() -> None:
    vectors = torch.randn(2, 400, generator=torch.Generator().manual_seed(0)) + 0.3
    products = [float((short := Projection(400, 64, Seed(seed), torch.device("cpu"))(vectors))[0] @ short[1]) for seed in range(400)]
    error = np.std(products) / 20
    assert abs(np.mean(products) - float(vectors[0] @ vectors[1])) < 4 * error
    assert np.std(products) < 1.5 * float(vectors[0].norm() * vectors[1].norm()) / 8  # about one in the root of the length
    assert torch.equal(Projection(400, 400, Seed(0), torch.device("cpu"))(vectors), vectors)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_shares_of_representer_points_sum_to_the_output(make_rows: Make, fit_linear: Fit, classes: int) -> None:
    rows = make_rows(60, 5, classes)
    classifier, x = fit_linear(rows, l2=0.02), make_rows(4, 5, classes, seed=4).inputs
    logits = classifier.logits(x)
    output = logits[:, 1] - logits[:, 0] if classes == 2 else logits[:, 1]
    for refit in (True, False):
        found = training_influence(classifier, rows, x, method="representer", target=1, l2=0.02, refit=refit)
        assert torch.allclose(found.scores.sum(1), output, atol=2e-3)


def test_row_gradients_are_those_of_each_row_alone(network: Classifier, rows: Dataset) -> None:
    loss = TrainingLoss.of(network)
    found = RowGradients(network)(loss, rows.inputs[:5], rows.labels[:5])
    for row in range(5):
        weights = RowGradients(network).weights.requires_grad_()
        value = loss(RowGradients(network).logits(weights, rows.inputs[row : row + 1]), rows.labels[row : row + 1]).sum()
        (alone,) = torch.autograd.grad(value, weights)
        assert torch.allclose(found[row], alone, atol=1e-6)


class _Twice(nn.Module):
    """A layer that is used twice, and one along an axis of steps."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.head = nn.Linear(3, 3), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        steps = self.shared(self.shared(x.reshape(-1, 2, 3)).tanh())
        return self.head(steps.flatten(1))


@pytest.mark.parametrize("module", [nn.Sequential(nn.Linear(6, 5, bias=False), nn.ReLU(), nn.Linear(5, 3)), nn.Linear(6, 3), _Twice()])
@pytest.mark.parametrize("layers", [(), ("last",)])
def test_products_by_factors_are_products_of_gradients(rows: Dataset, module: nn.Module, layers: tuple[str, ...]) -> None:
    classifier = Classifier.wrap(module, schema=rows.schema, classes=rows.classes)
    if layers:
        layers = (next(reversed(dict(module.named_parameters()))),)
    value = TrainingLoss.of(classifier)
    engine, plain = RowProducts(classifier, layers), RowGradients(classifier, layers)
    one, other = (engine(value, rows.inputs[part], rows.labels[part]) for part in (slice(0, 4), slice(4, 20)))
    truth = plain(value, rows.inputs[:20], rows.labels[:20])
    assert torch.allclose(products(one, other), truth[:4] @ truth[4:].T, atol=1e-6)
    assert torch.allclose(squares(one), truth[:4].square().sum(1), atol=1e-6)


def test_a_network_that_does_not_go_at_once_gives_the_same_one_by_one_and_says_so(
    rows: Dataset, network: Classifier, asked: Tensor
) -> None:
    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network.module

        def forward(self, x: Tensor) -> Tensor:
            assert self.inner is not None
            return self.inner(x) * (1.0 if x.sum().item() < 1e9 else 2.0)

    looks = Classifier.wrap(Looks(), schema=rows.schema, classes=rows.classes)
    one, other = (training_influence(each, rows, asked, method="trak") for each in (looks, network))
    assert torch.allclose(one.scores, other.scores, atol=1e-6)
    assert any("one row after the other" in note for note in one.notes)


@pytest.mark.parametrize("method", ["tracin", "influence_functions", "representer", "nearest_neighbours", "trak"])
def test_copies_of_an_odd_row_speak_most_for_its_label(make_rows: Make, make_network: Callable[..., nn.Module], method: str) -> None:
    rows = make_rows(120, 6, 2)
    # A place where the rule says one class, and two copies say the other.
    odd = rows.inputs[0]
    label = 1 - int(rows.labels[0])
    labels, inputs = rows.labels.clone(), rows.inputs.clone()
    inputs[:2], labels[:2] = odd, label
    rows = replace(rows, inputs=inputs, labels=labels)
    module = make_network(6, 2)
    search = torch.optim.Adam(module.parameters(), 0.02, weight_decay=1e-3)
    for _ in range(60):
        search.zero_grad()
        cross_entropy(module(inputs), labels).backward()
        search.step()
    classifier = Classifier.wrap(module, schema=rows.schema, classes=rows.classes)
    found = training_influence(classifier, rows, odd[None], method=method, target=label)
    assert set(found.places(0, "for", 2).tolist()) == {0, 1}
    assert sorted(found.top(2)["id"][:2]) == [100, 101]
    assert found.top(2)["label"][0] == rows.classes[label]


@pytest.mark.slow
def test_scores_foretell_what_training_on_half_of_the_rows_gives() -> None:
    """The linear datamodelling score (Park et al., 2023, section 2), by real trainings, with random scores as a control."""
    from scipy.stats import spearmanr

    from classifier.dataset import Splits
    from trainer import Recipe, train

    splits = Dataset.builtin("german-credit").split(seed=0)
    recipe = Recipe("mlp", hidden=(16,), epochs=15, patience=None, class_weights="none")
    classifier, x = train(splits, recipe, progress=False), splits.test.inputs[:20]
    target, generator = classifier.predict(x), np.random.default_rng(0)
    masks = np.stack([generator.permutation(len(splits.train)) < len(splits.train) // 2 for _ in range(24)])
    halves = [train(Splits(splits.train[mask], splits.validation, splits.test), recipe, progress=False) for mask in masks]
    outcomes = np.stack([-cross_entropy(half.logits(x), target, reduction="none").numpy() for half in halves])

    def score(scores: np.ndarray) -> float:
        return float(np.mean([spearmanr(masks @ scores[row], outcomes[:, row])[0] for row in range(len(x))]))

    for method in ("influence_functions", "tracin", "trak"):
        found = training_influence(classifier, splits.train, x, method=method, target=target)
        assert score(found.scores.double().numpy()) > 0.5
    assert abs(score(generator.normal(size=(len(x), len(splits.train))))) < 0.2


def _task(classifier: Classifier, rows: Dataset) -> InfluenceTask:
    return InfluenceTask(classifier, rows, rows.inputs[:2], rows.labels[:2], (classifier,), progress=False)
