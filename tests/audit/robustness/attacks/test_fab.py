"""FAB against the exact least changes of linear classifiers, and the projection that it is made of."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch import Tensor

from audit.robustness.attacks._hyperplane import move_onto
from audit.robustness.attacks.fab import FAB
from audit.robustness.attempt import Attempt
from audit.robustness.known_answers import linear_robust
from classifier.errors import ConfigurationError
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed

DUAL = {"Linf": 1.0, "L2": 2.0, "L1": inf}


def linear(classes: int, width: int, rows: int = 40) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights ``(K, D)``, biases ``(K,)``, rows in [0, 1] ``(N, D)`` and what is decided of them ``(N,)``."""
    generator = torch.Generator().manual_seed(classes)
    weight, bias = torch.randn(classes, width, generator=generator), torch.randn(classes, generator=generator) / 4
    x = torch.rand(rows, width, generator=generator)
    bias -= (x @ weight.T).mean(0)
    return weight, bias, x, (x @ weight.T + bias).argmax(1)


def attempted(
    forward: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, norm: Norm, eps: float = inf, box: tuple[float, float] = (-inf, inf)
) -> Attempt:
    low, high = (torch.full_like(x, bound) for bound in box)
    return Attempt(forward, PerturbationSet(x, low, high, torch.ones(x.shape[1:]), eps, norm), y, torch.arange(len(x)))


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
@pytest.mark.parametrize(("classes", "width"), [(2, 2), (3, 5), (10, 20)], ids=["2", "3", "10"])
def test_without_a_box_it_finds_the_exact_least_change_of_a_linear_classifier(norm: Norm, classes: int, width: int) -> None:
    weight, bias, x, y = linear(classes, width)
    attempt = attempted(lambda u: u @ weight.T + bias, x, y, norm)
    FAB(steps=60)(attempt, Seed(0))
    logits = x @ weight.T + bias
    slope = torch.linalg.vector_norm(weight[y][:, None] - weight, ord=DUAL[norm], dim=2)
    exact = ((logits.gather(1, y[:, None]) - logits) / slope).scatter(1, y[:, None], inf).amin(1)
    assert torch.all(attempt.distance >= exact * (1 - 1e-4) - 1e-6)
    assert torch.allclose(attempt.distance, exact, rtol=1e-3, atol=1e-6)
    assert torch.all((attempt.adversarial @ weight.T + bias).argmax(1) != y)


def test_in_the_box_it_breaks_exactly_the_weak_rows_of_a_linear_classifier_and_no_others() -> None:
    weight, bias, x, y = linear(3, 12, 300)
    attempt = attempted(lambda u: u @ weight.T + bias, x, y, "Linf", 0.12, (0.0, 1.0))
    FAB(steps=40)(attempt, Seed(0))
    robust = linear_robust(weight, bias, x, y, 0.12)
    assert 0 < robust.sum() < 300
    assert torch.equal(~attempt.broken, robust)
    changed = attempt.adversarial[attempt.broken]
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert (changed - x[attempt.broken]).abs().max() <= 0.12 + 1e-5
    assert torch.all((changed @ weight.T + bias).argmax(1) != y[attempt.broken])


def test_rows_shaped_as_images_one_alone_and_none_are_attacked_too() -> None:
    weight, bias, x, y = linear(4, 16, 9)

    def forward(u: Tensor) -> Tensor:
        return u.flatten(1) @ weight.T + bias

    flat, shaped = attempted(forward, x, y, "L2"), attempted(forward, x.reshape(-1, 1, 4, 4), y, "L2")
    single, none = attempted(forward, x[3:4], y[3:4], "L2"), attempted(forward, x[:0], y[:0], "L2")
    for attempt in (flat, shaped, single, none):
        FAB(steps=10)(attempt, Seed(0))
    assert torch.allclose(flat.distance, shaped.distance, rtol=1e-5)
    assert torch.allclose(flat.distance[3:4], single.distance, rtol=1e-5)
    assert shaped.adversarial.shape == (9, 1, 4, 4)


def test_a_restart_at_a_random_point_is_the_rows_own_whatever_stands_beside_it() -> None:
    weight, bias, x, y = linear(3, 6, 20)

    def bent(u: Tensor) -> Tensor:
        return torch.tanh(u @ weight.T + bias) + 0.3 * torch.sin(8 * u[:, :3])

    y = bent(x).argmax(1)
    whole = attempted(bent, x, y, "Linf", box=(0.0, 1.0))
    FAB(steps=5, restarts=3)(whole, Seed(0))
    part = PerturbationSet(x[7:9], torch.zeros(2, 6), torch.ones(2, 6), torch.ones(6), inf, "Linf")
    some = Attempt(bent, part, y[7:9], torch.tensor([7, 8]))
    FAB(steps=5, restarts=3)(some, Seed(0))
    assert torch.allclose(whole.distance[7:9], some.distance, rtol=1e-4)
    once = attempted(bent, x, y, "Linf", box=(0.0, 1.0))
    FAB(steps=5)(once, Seed(0))
    assert torch.all(whole.distance <= once.distance)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.sampled_from(["Linf", "L1"]))
def test_the_projection_is_as_short_as_linear_programming_says(seed: int, width: int, norm: Norm) -> None:
    generator = np.random.default_rng(seed)
    point, normal = generator.random(width), generator.normal(size=width) * (generator.random(width) < 0.8)
    reachable = np.where(normal > 0, normal, 0).sum(), np.where(normal < 0, normal, 0).sum()
    offset = generator.uniform(min(reachable), max(reachable))
    move = project(point, normal, offset, norm)
    assert np.all((point + move >= -1e-6) & (point + move <= 1 + 1e-6))
    assert normal @ (point + move) == pytest.approx(offset, abs=1e-4)
    # The change d is split into its parts up and down; of Linf one more variable bounds them all.
    size, sides = (width if norm == "L1" else 1), np.concatenate([1 - point, point])
    cost = np.concatenate([np.full(2 * width, float(norm == "L1")), np.full(size, float(norm == "Linf"))])
    above = np.hstack([np.eye(width), np.eye(width), -np.ones((width, size))]) if norm == "Linf" else None
    best = linprog(
        cost, A_ub=above, b_ub=None if above is None else np.zeros(width), A_eq=[[*normal, *-normal, *np.zeros(size)]],
        b_eq=[offset - normal @ point], bounds=[*((0, side) for side in sides), *[(0, None)] * size],
    )  # fmt: skip
    length = np.abs(move).max() if norm == "Linf" else np.abs(move).sum()
    assert length == pytest.approx(best.fun, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6))
def test_the_projection_in_l2_keeps_the_condition_of_the_nearest_point(seed: int, width: int) -> None:
    """Free elements move by the same multiple of the normal, and held ones by no more than that (Karush, Kuhn and Tucker)."""
    generator = np.random.default_rng(seed)
    point, normal = generator.random(width), generator.normal(size=width)
    offset = generator.uniform(np.minimum(normal, 0).sum(), np.maximum(normal, 0).sum())
    move = project(point, normal, offset, "L2")
    free = (point + move > 1e-5) & (point + move < 1 - 1e-5)
    assert normal @ (point + move) == pytest.approx(offset, abs=1e-4)
    if free.any():
        multiple = (move[free] / normal[free]).mean()
        assert np.allclose(move[free], multiple * normal[free], atol=1e-4)
        assert np.all(np.abs(move[~free]) <= np.abs(multiple * normal[~free]) + 1e-4)


def test_a_hyperplane_that_misses_the_box_leads_to_its_corner() -> None:
    for norm in ("Linf", "L2", "L1"):
        move = project(np.array([0.5, 0.25]), np.array([1.0, -2.0]), 10.0, norm)  # type: ignore[arg-type]
        assert np.allclose(move, [0.5, -0.25])


def project(point: np.ndarray, normal: np.ndarray, offset: float, norm: Norm) -> np.ndarray:
    p, w = (torch.from_numpy(value)[None] for value in (point, normal))
    move: np.ndarray = move_onto(p, w, torch.tensor([offset], dtype=p.dtype), torch.zeros_like(p), torch.ones_like(p), norm)[0].numpy()
    return move


def test_options_that_cannot_be_are_refused() -> None:
    for options in ({"steps": 0}, {"targets": 0}, {"restarts": 0}):
        with pytest.raises(ConfigurationError, match="must be at least 1"):
            FAB(**options)
    for shares in ({"bias": 2.0}, {"backward": 0.0}, {"overshoot": 0.5}):
        with pytest.raises(ConfigurationError, match="shares"):
            FAB(**shares)
