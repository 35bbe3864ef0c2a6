"""FMN against the exact least changes of linear classifiers."""

from __future__ import annotations

from math import inf

import pytest
import torch
from torch import Tensor

from audit.robustness.attacks.fmn import FMN, _into_ball
from audit.robustness.attempt import Attempt
from audit.robustness.forward import decided
from audit.robustness.known_answers import linear_robust
from classifier.errors import ConfigurationError
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed

DUAL = {"Linf": 1.0, "L2": 2.0, "L1": inf}


def linear(classes: int, width: int, rows: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(classes)
    weight, bias = torch.randn(classes, width, generator=generator), torch.randn(classes, generator=generator) / 4
    x = torch.rand(rows, width, generator=generator)
    bias -= (x @ weight.T).mean(0)
    return weight, bias, x, (x @ weight.T + bias).argmax(1)


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
@pytest.mark.parametrize("width", [2, 20])
def test_without_a_box_it_finds_the_exact_least_change_of_a_linear_classifier_of_two_classes(norm: Norm, width: int) -> None:
    weight, bias, x, y = linear(2, width, 40)
    unbounded = torch.full_like(x, inf)
    attempt = Attempt(
        lambda u: u @ weight.T + bias,
        PerturbationSet(x, -unbounded, unbounded, torch.ones(width), inf, norm),
        y,
        torch.arange(40),
    )
    FMN(steps=200)(attempt, Seed(0))
    margin = (x @ weight.T + bias).diff(dim=1)[:, 0].abs()
    exact = margin / torch.linalg.vector_norm(weight[0] - weight[1], ord=DUAL[norm])
    assert torch.all(attempt.distance >= exact * (1 - 1e-4) - 1e-6)
    assert torch.allclose(attempt.distance, exact, rtol=1e-3, atol=1e-5)
    assert torch.all(decided(attempt.adversarial @ weight.T + bias) != y)


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_of_many_classes_the_typical_change_is_exact_and_none_is_smaller_than_can_be(norm: Norm) -> None:
    weight, bias, x, y = linear(10, 16, 60)
    shaped, unbounded = x.reshape(-1, 1, 4, 4), torch.full((60, 1, 4, 4), inf)
    allowed = PerturbationSet(shaped, -unbounded, unbounded, torch.ones(1, 4, 4), inf, norm)
    attempt = Attempt(lambda u: u.flatten(1) @ weight.T + bias, allowed, y, torch.arange(60))
    FMN()(attempt, Seed(0))
    logits = x @ weight.T + bias
    slope = torch.linalg.vector_norm(weight[y][:, None] - weight, ord=DUAL[norm], dim=2)
    exact = ((logits.gather(1, y[:, None]) - logits) / slope).scatter(1, y[:, None], inf).amin(1)
    assert torch.all(attempt.distance >= exact * (1 - 1e-4) - 1e-6)
    assert (attempt.distance / exact).median() < 1.001


def test_within_eps_it_breaks_only_weak_rows_of_the_box_and_nearly_all_of_them() -> None:
    weight, bias, x, y = linear(2, 12, 200)
    zeros = torch.zeros_like(x)
    attempt = Attempt(
        lambda u: u @ weight.T + bias, PerturbationSet(x, zeros, zeros + 1, torch.ones(12), 0.12, "Linf"), y, torch.arange(200)
    )
    FMN()(attempt, Seed(0))
    robust = linear_robust(weight, bias, x, y, 0.12)
    assert 0 < robust.sum() < 200
    assert not (attempt.broken & robust).any()
    assert (~attempt.broken & ~robust).float().mean() < 0.01
    changed = attempt.adversarial[attempt.broken]
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert (changed - x[attempt.broken]).abs().max() <= 0.12 + 1e-5
    assert torch.all((changed @ weight.T + bias).argmax(1) != y[attempt.broken])


def test_rows_that_are_broken_leave_and_one_row_alone_or_none_is_no_other_case() -> None:
    weight, bias, x, y = linear(3, 4, 8)
    wide = torch.full_like(x, inf)
    everything = PerturbationSet(x, -wide, wide, torch.ones(4), 50.0, "L2")
    attempt = Attempt(lambda u: u @ weight.T + bias, everything, y, torch.arange(8))
    FMN()(attempt, Seed(0))
    assert attempt.broken.all()
    assert attempt.queries.max() < 20
    for rows in (torch.tensor([5]), torch.tensor([], dtype=torch.int64)):
        some = Attempt(lambda u: u @ weight.T + bias, everything[rows], y[rows], rows)
        FMN()(some, Seed(0))
        assert torch.allclose(some.distance, attempt.distance[rows], rtol=1e-4)


def test_the_ball_of_l1_is_met_by_giving_up_the_same_of_every_element() -> None:
    change, radius = torch.tensor([[3.0, -1.0, 0.5], [0.1, 0.2, -0.1]]), torch.tensor([[2.0], [1.0]])
    assert torch.allclose(_into_ball(change, radius, "L1"), torch.tensor([[2.0, 0.0, 0.0], [0.1, 0.2, -0.1]]))


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="steps must be at least 1"):
        FMN(steps=0)
    for options in ({"last_step": 2.0}, {"shrink": 1.0}, {"last_shrink": 0.0}):
        with pytest.raises(ConfigurationError, match="above 0 and fall"):
            FMN(**options)
