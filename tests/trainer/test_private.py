"""Private training: clipped gradients of single rows, noise of the operating system, and what is accounted for."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from torch import Tensor, nn

from classifier import Dataset, Feature, Schema, Splits
from classifier.architectures._observed import StandardizeObserved
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import modality_of
from trainer import Private, Recipe, train
from trainer.objective import Objective
from trainer.private import Budget, PrivateSteps, public_inputs, system_normal, system_uniform


def steps(module: nn.Module, *, clip_norm: float, noise: float = 0.0, batch_size: int = 9, rows: int = 9) -> PrivateSteps:
    budget = Budget(1.0, 1e-5, noise, clip_norm, batch_size / rows, 1)
    return PrivateSteps(module, Objective(label_smoothing=0.1), budget, batch_size)


class Looking(nn.Module):
    """A network whose course depends on what it is given, which torch cannot vectorise over rows."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.unused = inner, nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) if float(x.sum()) > 0 else 2 * self.inner(x)


def case(rows: int = 9) -> tuple[nn.Module, Tensor, Tensor]:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    return module, torch.randn(rows, 1, 4, 4), torch.randint(0, 3, (rows,))


@pytest.mark.parametrize("chunk", [1, 4, 100])
@pytest.mark.parametrize("clip_norm", [0.3, 1.5])
def test_clipped_gradients_are_those_of_a_loop_over_the_rows(clip_norm: float, chunk: int) -> None:
    module, x, y = case()
    private = steps(module, clip_norm=clip_norm)
    private.chunk = chunk
    sums, total = private.clipped_sums(x, y)
    expected, losses, clipped = {name: torch.zeros_like(value) for name, value in module.named_parameters()}, 0.0, 0
    for index in range(len(x)):
        module.zero_grad()
        loss = Objective(label_smoothing=0.1).total(module, x[index : index + 1], y[index : index + 1])
        loss.backward()  # type: ignore[no-untyped-call]
        length = torch.cat([value.grad.flatten() for value in module.parameters() if value.grad is not None]).norm()
        clipped += int(length > clip_norm)
        for name, value in module.named_parameters():
            assert value.grad is not None
            expected[name] += value.grad * min(1.0, clip_norm / length.item())
        losses += loss.item()
    assert all(torch.allclose(sums[name], expected[name], atol=1e-5, rtol=1e-4) for name in expected)
    assert total.item() == pytest.approx(losses, rel=1e-4)
    assert clip_norm > 1 or clipped > 0


def test_a_network_that_looks_at_its_inputs_is_taken_row_by_row_to_the_same_gradients() -> None:
    module, x, y = case()
    private = steps(Looking(module), clip_norm=0.7)
    sums, total = private.clipped_sums(x.abs(), y)
    expected, losses = steps(module, clip_norm=0.7).clipped_sums(x.abs(), y)
    assert private.obstacle
    assert all(torch.allclose(sums[f"inner.{name}"], expected[name], atol=1e-6) for name in expected)
    assert sums["unused"].tolist() == [0.0, 0.0]
    assert total.item() == pytest.approx(losses.item())


def test_without_noise_and_clipping_the_step_is_the_ordinary_one() -> None:
    module, x, y = case()
    mean = steps(module, clip_norm=1e6).set_gradients(x, y)
    own = {name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None}
    module.zero_grad()
    loss = Objective(label_smoothing=0.1).total(module, x, y) / len(x)
    loss.backward()  # type: ignore[no-untyped-call]
    for name, value in module.named_parameters():
        assert value.grad is not None
        assert torch.allclose(own[name], value.grad, atol=1e-5, rtol=1e-4)
    assert mean.item() == pytest.approx(loss.item(), rel=1e-5)


def test_the_noise_of_a_step_without_rows_has_the_stated_deviation() -> None:
    module = nn.Linear(300, 300)
    assert steps(module, clip_norm=2.0, noise=3.0, batch_size=4).set_gradients(torch.zeros(0, 300), torch.zeros(0, dtype=torch.long)) == 0
    gradient = module.weight.grad
    assert gradient is not None
    # 90,000 numbers: their deviation lies within 2 % but for one time in a million.
    assert gradient.std().item() == pytest.approx(3.0 * 2.0 / 4, rel=0.02)


def test_noise_is_normal_and_never_the_same_whatever_the_seed() -> None:
    torch.manual_seed(0)
    first = system_normal(20_001)
    torch.manual_seed(0)
    assert not torch.equal(first, system_normal(20_001))
    assert stats.kstest(first.numpy(), "norm").pvalue > 1e-6
    uniform = system_uniform(20_000)
    assert 0 < uniform.min() < uniform.max() < 1
    assert stats.kstest(uniform, "uniform").pvalue > 1e-6


def test_each_row_is_drawn_on_its_own_with_the_stated_chance() -> None:
    private = steps(nn.Linear(2, 2), clip_norm=1.0, batch_size=100, rows=2000)
    drawn = [batch for _ in range(5) for batch in private.batches(2000, torch.device("cpu"))]
    assert len(drawn) == 100
    sizes = np.array([len(batch) for batch in drawn])
    assert sizes.std() > 0
    # 10,000 rows expected in all; five deviations to either side.
    assert abs(sizes.sum() - 10_000) < 5 * np.sqrt(10_000 * 0.95)
    assert all(len(batch.unique()) == len(batch) for batch in drawn)


def test_batch_normalisation_is_refused_with_the_way_out() -> None:
    with pytest.raises(NotApplicableError, match=r'batch normalisation.*normalisation = "group" or "none"'):
        steps(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), clip_norm=1.0)


def test_inputs_are_scaled_by_the_bounds_of_the_schema_alone() -> None:
    schema = Schema("tabular", (Feature("a", "continuous", low=2.0, high=6.0), Feature("b", "continuous", scale=3.0)), encoding="natural")
    assert public_inputs(schema).tolist() == [[2.0, -1.0], [6.0, 1.0]]


@pytest.mark.parametrize("modality", ["sequence", "graph"])
def test_both_public_corners_count_where_something_may_be_unobserved(modality: str) -> None:
    flag = Feature("(observed)", "binary", low=0.0, high=1.0, mutable=False)
    schema = Schema(modality, (Feature("a", "continuous", low=0.0, high=1.0), flag), size=(3,))
    corners = public_inputs(schema)
    assert corners[:, :, :2].tolist() == [[[0.0, 1.0]] * 3, [[1.0, 1.0]] * 3]
    layer = StandardizeObserved(schema)
    layer.fit(corners)
    assert layer.mean.tolist() == [0.5]
    assert layer.deviation.tolist() == [0.5]


def exact_epsilon(noise: float, count: int, delta: float) -> float:
    """Of `count` Gaussian mechanisms without sampling (Balle and Wang, 2018, theorem 8)."""
    mu = np.sqrt(count) / noise

    def excess(epsilon: float) -> float:
        inside = stats.norm.cdf(mu / 2 - epsilon / mu) - np.exp(epsilon) * stats.norm.cdf(-mu / 2 - epsilon / mu)
        return float(inside - delta)

    return float(optimize.brentq(excess, 0.0, 200.0))


def test_the_accountant_is_above_the_exact_epsilon_and_near_it_where_every_row_is_in_every_step() -> None:
    pytest.importorskip("dp_accounting")
    for noise, count in ((4.0, 10), (10.0, 30), (2.0, 1)):
        told = Private(delta=1e-5, noise_multiplier=noise).budget(rows=50, batch_size=50, epochs=count).epsilon
        exact = exact_epsilon(noise, count, 1e-5)
        assert exact <= told < 1.2 * exact


def test_the_noise_spends_what_may_be_spent_and_sampling_saves() -> None:
    pytest.importorskip("dp_accounting")
    budget = Private(delta=1e-5, epsilon=2.0).budget(rows=1000, batch_size=50, epochs=10)
    assert budget.steps == 200
    assert budget.sampling_rate == 0.05
    assert 1.98 < budget.epsilon <= 2.0
    again = Private(delta=1e-5, noise_multiplier=budget.noise_multiplier).budget(rows=1000, batch_size=50, epochs=10)
    assert again.epsilon == pytest.approx(budget.epsilon)
    assert budget.epsilon < exact_epsilon(budget.noise_multiplier, budget.steps, 1e-5) / 3


@pytest.mark.parametrize(("noise", "epochs", "published"), [(1.12, 60, 2.92), (0.6, 30, 9.74), (1.2, 10, 1.20)])
def test_the_accountant_is_a_little_below_what_is_published_for_known_trainings(noise: float, epochs: int, published: float) -> None:
    pytest.importorskip("dp_accounting")
    # TensorFlow Privacy's tutorial on MNIST, by Mironov's conversion; that of Balle et al. (2020) is tighter.
    told = Private(delta=1e-5, noise_multiplier=noise).budget(rows=60_000, batch_size=256, epochs=epochs).epsilon
    assert 0.7 * published < told < published


def test_a_private_run_tells_what_it_spent_and_looks_at_no_row_beside_its_steps() -> None:
    pytest.importorskip("dp_accounting")
    splits = Dataset.builtin("moons").split(seed=0)
    recipe = Recipe("mlp", hidden=(8,), epochs=3, private=Private(delta=1e-4, epsilon=3.0))
    classifier, other = (train(splits, recipe, progress=False) for _ in range(2))
    record = classifier.card["training"]
    assert 2.9 < record["private"]["epsilon"] <= 3.0
    assert record["private"]["steps"] == 3 * -(-len(splits.train) // 64)
    assert not record["private"]["reproducible"]
    assert "the validation rows" in record["private"]["not_counted"]
    assert record["class_weights"] is None
    assert record["best_epoch"] == 3
    assert record["notes"] == ["kept the last weights: choosing an epoch would look at the validation rows, which nothing protects"]
    assert classifier.digest != other.digest
    assert classifier.module is not None
    assert torch.allclose(classifier.module[0].mean, modality_of(classifier.schema).neutral())  # type: ignore[index]
    assert classifier.card["baseline"] == pytest.approx(modality_of(classifier.schema).neutral().tolist())


def test_private_training_learns_what_little_noise_leaves(german_credit: Dataset) -> None:
    pytest.importorskip("dp_accounting")
    splits: Splits = german_credit.split(seed=0)
    recipe = Recipe("logistic", epochs=15, learning_rate=0.05, batch_size=100, private=Private(delta=1e-4, noise_multiplier=0.8))
    classifier = train(splits, recipe, progress=False)
    logits = classifier.logits(splits.test.inputs)
    event = splits.test.labels == 1
    odds = logits[:, 1] - logits[:, 0]
    assert (odds[event][:, None] > odds[~event]).float().mean() > 0.6


def test_without_the_accountant_it_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'assay\[dp\]'"):
        Private(delta=1e-5, epsilon=1.0).budget(rows=1000, batch_size=50, epochs=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delta": 0.0, "epsilon": 1.0}, "delta must lie between 0 and 1"),
        ({"delta": 1e-5}, "one of epsilon and noise_multiplier"),
        ({"delta": 1e-5, "epsilon": 1.0, "noise_multiplier": 1.0}, "one of epsilon and noise_multiplier"),
        ({"delta": 1e-5, "epsilon": -1.0}, "epsilon must be above 0"),
        ({"delta": 1e-5, "epsilon": 1.0, "clip_norm": float("inf")}, "clip_norm must be above 0 and finite"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Private(**options)


def test_a_budget_that_protects_nobody_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"delta must be under one in the number of rows, got 0\.01 for 500 rows; take delta = 0\.0002"
    ):
        Private(delta=0.01, epsilon=1.0).budget(rows=500, batch_size=50, epochs=1)
    with pytest.raises(ConfigurationError, match="batch_size is 64 and there are 20 rows"):
        Private(delta=1e-5, epsilon=1.0).budget(rows=20, batch_size=64, epochs=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weights": "balanced"}, "must not count the classes"),
        ({"precision": "bfloat16"}, "in float32 and uncompiled"),
        ({"compile": True}, "in float32 and uncompiled"),
    ],
)
def test_a_recipe_that_private_training_cannot_keep_is_refused(options: dict[str, Any], message: str) -> None:
    recipe = Recipe("mlp", private=Private(delta=1e-5, epsilon=1.0))
    with pytest.raises(ConfigurationError, match=message):
        replace(recipe, **options)
