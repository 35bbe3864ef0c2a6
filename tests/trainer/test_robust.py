"""Robust training: what an attack finds against the trained network is fewer than against a plain one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from audit.robustness import attack
from audit.robustness.attacks.pgd import PGD
from classifier import Dataset, Feature, Schema, Splits
from classifier.bounds import margin_bounds
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.perturbation import PerturbationSet
from classifier.seeds import Seed
from trainer import Recipe, Robust, train
from trainer.objective import Objective
from trainer.robust import Method, RobustObjective

EPS = 0.1
SCHEMA = Schema(
    "tabular",
    (
        Feature("free", "continuous", low=0.0, high=1.0),
        Feature("fixed", "continuous", low=0.0, high=1.0, mutable=False),
        Feature("rising", "continuous", low=0.0, high=1.0, direction="increase"),
    ),
)


@pytest.fixture(scope="module")
def splits(german_credit: Dataset) -> Splits:
    return german_credit.split(seed=0)


def rows(count: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = Seed(0, ("rows",)).torch()
    return torch.rand(count, 3, generator=generator), torch.randint(0, 2, (count,), generator=generator)


class Recorder(nn.Module):
    """Remembers what it was asked."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.asked = network, [torch.zeros(0)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.asked.append(x)
        logits: torch.Tensor = self.network(x)
        return logits


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize("method", ["pgd", "trades"])
def test_training_sees_only_allowed_inputs(method: Method, norm: Any) -> None:
    x, y = rows()
    network = Recorder(nn.Linear(3, 2))
    RobustObjective(robust=Robust(method, eps=0.3, norm=norm), schema=SCHEMA, module=nn.Linear(3, 2)).total(network, x, y)
    seen = network.asked[-1][-len(x) :]
    allowed = PerturbationSet.around(x, SCHEMA, eps=0.3, norm=norm)
    assert (allowed.distance(seen) <= 0.3 + 1e-5).all()
    assert (seen >= allowed.lower).all()
    assert (seen <= allowed.upper).all()
    assert torch.equal(seen[:, 1], x[:, 1])
    assert (seen != x).any()


def test_on_a_linear_model_projected_ascent_and_interval_bounds_find_the_exact_worst_case() -> None:
    x, y = rows()
    module = nn.Linear(3, 2)
    allowed = PerturbationSet.around(x, SCHEMA, eps=EPS)
    # The loss of two linear logits is worst at the corner that the sign of their difference points to.
    slope = (module.weight[1] - module.weight[0]).detach() * (1 - 2 * y[:, None])
    corner = torch.where(slope > 0, allowed.project(allowed.upper), allowed.project(allowed.lower))
    worst = cross_entropy(module(corner), y, reduction="sum")
    ascent = RobustObjective(robust=Robust("pgd", eps=EPS), schema=SCHEMA, module=module).total(module, x, y)
    assert torch.allclose(ascent, worst, rtol=1e-5)
    clean = cross_entropy(module(x), y, reduction="sum")
    interval = RobustObjective(robust=Robust("ibp", eps=EPS), schema=SCHEMA, module=module).total(module, x, y)
    assert torch.allclose(interval, (clean + worst) / 2, rtol=1e-5)


def test_trades_adds_the_weighted_divergence_between_the_two_answers() -> None:
    x, y = rows()
    network, weights = Recorder(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))), torch.tensor([0.5, 2.0])
    objective = RobustObjective(weights, robust=Robust("trades", eps=EPS, weight=3.0), schema=SCHEMA, module=network.network)
    total = objective.total(network, x, y)
    clean, moved = network.network(network.asked[-1]).softmax(1).chunk(2)
    divergence = (clean * (clean / moved).log()).sum(1)
    expected = cross_entropy(network.network(x), y, weights, reduction="sum") + 3.0 * (weights[y] * divergence).sum()
    assert torch.allclose(total, expected, rtol=1e-4)
    assert (divergence > 0).all()


def test_noise_has_the_stated_deviation_on_what_can_change_and_none_elsewhere() -> None:
    x = torch.full((20_000, 3), 0.5)
    network = Recorder(nn.Linear(3, 2))
    RobustObjective(robust=Robust("noise", eps=0.4), schema=SCHEMA, module=network).total(network, x, torch.zeros(len(x), dtype=torch.long))
    noise = network.asked[-1] - x
    assert noise.std(0)[[0, 2]].tolist() == pytest.approx([0.4, 0.4], rel=0.05)
    assert noise[:, 1].abs().max() == 0


@pytest.mark.parametrize("method", ["pgd", "trades", "noise", "ibp"])
def test_without_a_radius_yet_the_loss_is_that_of_the_rows(method: Method) -> None:
    x, y = rows()
    module = nn.Linear(3, 2)
    objective = RobustObjective(robust=Robust(method, eps=0.3, ramp=0.5), schema=SCHEMA, module=module)
    assert torch.allclose(objective.at(0.0).total(module, x, y), Objective().total(module, x, y), rtol=1e-5)
    assert [objective.at(progress).share for progress in (0.0, 0.25, 0.5, 0.9)] == [0.0, 0.5, 1.0, 1.0]
    assert objective.at(0.1).held_out().share == 1.0


def test_the_search_leaves_batch_statistics_and_the_mode_as_they_were() -> None:
    x, y = rows()
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    plain = nn.Linear(3, 2)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    RobustObjective(robust=Robust("pgd", eps=EPS), schema=SCHEMA, module=module).total(plain, x, y)
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("method", ["pgd", "ibp"])
def test_robust_accuracy_on_german_credit_rises_clearly(splits: Splits, method: Method) -> None:
    x, y = splits.test.inputs, splits.test.labels
    recipe = Recipe("logistic", epochs=25, learning_rate=0.01)
    accuracy = []
    for own in (recipe, replace(recipe, robust=Robust(method, eps=EPS, steps=3))):
        result = attack(train(splits, own, progress=False), x, y, eps=EPS, constrained=False, suite=[PGD(steps=10)])
        accuracy.append((result.clean_accuracy.value or 0, result.robust_accuracy.value or 0))
    (clean, weak), (cost, strong) = accuracy
    assert strong > weak + 0.1
    assert cost > clean - 0.15


@pytest.mark.slow
def test_interval_training_gives_certificates_that_no_attack_breaks(splits: Splits) -> None:
    x, y = splits.test.inputs, splits.test.labels
    certified = []
    for robust in (None, Robust("ibp", eps=EPS)):
        classifier = train(splits, Recipe("mlp", hidden=(32,), epochs=60, robust=robust), progress=False)
        assert classifier.module is not None
        allowed = PerturbationSet.around(x, classifier.schema, eps=EPS, constrained=False)
        margins = margin_bounds(classifier.module, allowed.project(allowed.lower), allowed.project(allowed.upper), y)
        proven = (margins.scatter(1, y[:, None], -torch.inf) < 0).all(1)
        assert attack(classifier, x, y, eps=EPS, constrained=False).robust[proven].all()
        certified.append(proven.float().mean().item())
    assert certified[1] > max(0.35, certified[0] + 0.1)


def test_patience_counts_from_the_end_of_the_ramp_and_the_same_recipe_gives_the_same_weights() -> None:
    moons = Dataset.builtin("moons").split(seed=0)
    recipe = Recipe("mlp", hidden=(4,), epochs=20, patience=1, robust=Robust("pgd", eps=0.1, steps=2, ramp=0.5))
    first, again = (train(moons, recipe, progress=False) for _ in range(2))
    assert first.card["training"]["best_epoch"] > 10
    assert first.digest == again.digest


def test_a_layer_without_interval_bounds_is_refused() -> None:
    x, y = rows()
    module = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 2))
    with pytest.raises(NotApplicableError, match="LayerNorm"):
        RobustObjective(robust=Robust("ibp", eps=EPS), schema=SCHEMA, module=module).total(module, x, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "fgsm"}, "method must be one of pgd, trades, noise, ibp, got 'fgsm'"),
        ({"norm": "L3"}, "norm must be one of Linf, L2, L1, got 'L3'"),
        ({"eps": 0.0}, "eps must be above 0"),
        ({"weight": float("nan")}, "weight must be above 0"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"ramp": 1.0}, "ramp must be a share"),
        ({"method": "ibp", "norm": "L2"}, "interval bounds are for"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Robust(**{"eps": 0.1, **options})
