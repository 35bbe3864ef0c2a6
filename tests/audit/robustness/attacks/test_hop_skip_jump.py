"""HopSkipJump: near the exact least change after its budget, from decisions alone."""

from __future__ import annotations

from math import inf

import pytest
import torch
from torch import Tensor

from audit.robustness.attacks.hop_skip_jump import HopSkipJump
from audit.robustness.attempt import Attempt
from classifier.errors import ConfigurationError
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed

DUAL = {"Linf": 1.0, "L2": 2.0}


def plane(width: int, rows: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    """The slope of two classes ``(D,)``, rows on both sides ``(N, D)`` and their sides ``(N,)``."""
    generator = torch.Generator().manual_seed(width)
    slope, x = torch.randn(width, generator=generator), torch.randn(rows, width, generator=generator)
    return slope, x, (x @ slope > 0).long()


def decided(slope: Tensor, u: Tensor) -> Tensor:
    """Logits that tell the decision and nothing else."""
    side = (u.flatten(1) @ slope > 0).float()
    return torch.stack([1 - side, side], 1)


def attempted(slope: Tensor, x: Tensor, y: Tensor, norm: Norm, *, eps: float = inf, bound: float = inf) -> Attempt:
    edge = torch.full_like(x, bound)
    return Attempt(lambda u: decided(slope, u), PerturbationSet(x, -edge, edge, torch.ones_like(x[0]), eps, norm), y, torch.arange(len(x)))


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize("width", [2, 10])
def test_it_comes_within_five_percent_of_the_exact_least_change(norm: Norm, width: int) -> None:
    slope, x, y = plane(width)
    attempt = attempted(slope, x, y, norm)
    HopSkipJump(queries=4000)(attempt, Seed(0))
    exact = (x @ slope).abs() / torch.linalg.vector_norm(slope, ord=DUAL[norm])
    assert torch.all(attempt.distance >= exact * (1 - 1e-5))
    assert torch.all(attempt.distance <= exact * 1.05)
    assert torch.all(decided(slope, attempt.adversarial).argmax(1) != y)


def test_the_budget_holds_for_each_row_and_more_of_it_gets_nearer() -> None:
    slope, x, y = plane(20)
    few, many = attempted(slope, x, y, "L2"), attempted(slope, x, y, "L2")
    HopSkipJump(queries=400, probes=50)(few, Seed(0))
    HopSkipJump(queries=4000, probes=50)(many, Seed(0))
    assert few.queries.max() <= 400 < many.queries.min()
    assert many.queries.max() <= 4000
    assert many.distance.mean() < few.distance.mean()
    assert int(many.gradients.sum()) == 0


def test_it_keeps_box_and_ball_of_images_and_leaves_what_it_broke() -> None:
    slope, x, y = plane(16, 30)
    x = x.clamp(-1, 1)
    y = (x @ slope > 0).long()
    attempt = attempted(slope, x.reshape(-1, 1, 4, 4), y, "Linf", eps=0.2, bound=1.0)
    HopSkipJump(queries=1000)(attempt, Seed(0))
    assert 0 < attempt.broken.sum() < 30
    changed = attempt.adversarial[attempt.broken].flatten(1)
    assert changed.abs().max() <= 1
    assert (changed - x[attempt.broken]).abs().max() <= 0.2 + 1e-5
    assert torch.all(decided(slope, changed).argmax(1) != y[attempt.broken])
    assert attempt.queries[attempt.broken].float().mean() < attempt.queries[~attempt.broken].float().mean()


def test_a_row_of_another_class_leads_to_a_region_that_random_points_miss() -> None:
    """Class 1 is a corner so small that chance does not find it."""

    def corner(u: Tensor) -> Tensor:
        inside = (u > 0.97).all(1).float()
        return torch.stack([1 - inside, inside], 1)

    x = torch.cat([torch.full((3, 6), 0.5), torch.full((1, 6), 0.99)])
    y = torch.tensor([0, 0, 0, 1])
    alone = Attempt(corner, PerturbationSet(x[:3], 0 * x[:3], 0 * x[:3] + 1, torch.ones(6), inf, "L2"), y[:3], torch.arange(3))
    together = Attempt(corner, PerturbationSet(x, 0 * x, 0 * x + 1, torch.ones(6), inf, "L2"), y, torch.arange(4))
    HopSkipJump(queries=400)(alone, Seed(0))
    HopSkipJump(queries=400)(together, Seed(0))
    assert alone.distance.isinf().all()
    assert torch.equal(alone.adversarial, x[:3])
    assert together.distance.isfinite().all()


def test_what_may_not_change_stays() -> None:
    slope, x, y = plane(4)
    far = torch.full_like(x, 9.0)
    low, high = -far, far.clone()
    low[:, 1] = high[:, 1] = x[:, 1]
    attempt = Attempt(lambda u: decided(slope, u), PerturbationSet(x, low, high, torch.ones(4), inf, "L2"), y, torch.arange(len(x)))
    HopSkipJump(queries=500)(attempt, Seed(0))
    assert attempt.distance.isfinite().all()
    assert torch.equal(attempt.adversarial[:, 1], x[:, 1])


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="twice as many"):
        HopSkipJump(queries=100, probes=80)
