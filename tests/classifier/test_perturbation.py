"""What a perturbation may do to an input: it stays in the ball, in the box, and in what can change."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier import Feature, Schema
from classifier.errors import ConfigurationError
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed

FEATURES = (
    Feature("free", "continuous", low=-5.0, high=20.0),
    Feature("fixed", "continuous", low=0.0, high=1000.0, mutable=False),
    Feature("rising", "integer", low=0.0, high=50.0, direction="increase"),
    Feature("falling", "continuous", low=0.0, high=0.5, direction="decrease"),
    Feature("word", "categorical", categories=("a", "b", "c")),
)
NORMS: tuple[Norm, ...] = ("Linf", "L2", "L1")
encodings = st.sampled_from(["unit", "natural"])
sizes = st.sampled_from([0.0, 0.01, 0.3, 2.0])


def case(encoding: Any, eps: float, norm: Any, seed: int, *, rows: int = 6) -> tuple[PerturbationSet, torch.Tensor, torch.Tensor]:
    """A set around random rows, some of them outside the bounds; points anywhere, and gradients of any size."""
    schema = Schema("tabular", FEATURES, encoding=encoding)
    low, high = schema.bounds
    generator = Seed(seed, ("perturbation",)).torch()
    u, far, gradient = (torch.rand(rows, *schema.shape, generator=generator) for _ in range(3))
    x = low + (1.4 * u - 0.2) * (high - low)
    points = x + (far - 0.5) * 6 * max(eps, 0.1) * schema.scale
    return PerturbationSet.around(x, schema, eps=eps, norm=norm), points, (gradient - 0.5) * 10.0 ** (seed % 7 * 6 - 30)


def assert_allowed(allowed: PerturbationSet, x: torch.Tensor) -> None:
    schema = Schema("tabular", FEATURES)
    assert (allowed.distance(x) <= allowed.eps * (1 + 1e-4) + 1e-6).all()
    assert (x >= allowed.lower).all()
    assert (x <= allowed.upper).all()
    for name, columns in schema.groups.items():
        before, after = allowed.centre[:, columns], x[:, columns]
        assert name != "fixed" or torch.equal(before, after)
        assert name != "rising" or (after >= before).all()
        assert name != "falling" or (after <= before).all()


@settings(max_examples=120, deadline=None)
@given(encodings, sizes, st.sampled_from(NORMS), st.integers(0, 10_000))
def test_a_projection_is_allowed_and_projects_to_itself(encoding: str, eps: float, norm: Norm, seed: int) -> None:
    allowed, points, _ = case(encoding, eps, norm, seed)
    projected = allowed.project(points)
    assert_allowed(allowed, projected)
    assert torch.allclose(allowed.project(projected) / allowed.scale, projected / allowed.scale, rtol=1e-5, atol=1e-6)


@settings(max_examples=120, deadline=None)
@given(encodings, sizes, st.sampled_from(NORMS), st.integers(0, 10_000), st.floats(0.001, 5.0))
def test_a_step_is_allowed(encoding: str, eps: float, norm: Norm, seed: int, size: float) -> None:
    allowed, points, gradient = case(encoding, eps, norm, seed)
    assert_allowed(allowed, allowed.step(points, gradient, size))
    assert_allowed(allowed, allowed.random(Seed(seed).torch()))


@settings(max_examples=60, deadline=None)
@given(encodings, st.integers(0, 10_000))
def test_a_linf_projection_is_the_nearest_allowed_point(encoding: str, seed: int) -> None:
    allowed, points, _ = case(encoding, 0.3, "Linf", seed)
    reach = allowed.eps * allowed.scale
    low = torch.maximum(allowed.lower, allowed.centre - reach)
    high = torch.minimum(allowed.upper, allowed.centre + reach)
    nearest = torch.where(points < low, low, torch.where(points > high, high, points))
    assert torch.allclose(allowed.project(points) / allowed.scale, nearest / allowed.scale, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("encoding", ["unit", "natural"])
def test_inside_the_box_an_l2_projection_is_radial(encoding: Any) -> None:
    schema = Schema(
        "tabular", (Feature("a", "continuous", low=0.0, high=10.0), Feature("b", "continuous", low=0.0, high=100.0)), encoding=encoding
    )
    low, high = schema.bounds
    centre = ((low + high) / 2)[None]
    allowed = PerturbationSet.around(centre, schema, eps=0.1, norm="L2")
    projected = allowed.project(centre + torch.tensor([[0.3, 0.4]]) * schema.scale)
    assert ((projected - centre) / schema.scale)[0].tolist() == pytest.approx([0.06, 0.08], abs=1e-6)
    assert allowed.distance(projected).item() == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("magnitude", [1e-36, 1e-25, 1e-12, 1.0, 1e12, 1e25])
def test_a_step_has_its_length_however_small_the_gradient(norm: Norm, magnitude: float) -> None:
    schema = Schema("tabular", tuple(Feature(f"f{i}", "continuous", low=0.0, high=1.0) for i in range(4)))
    centre = torch.full((2, 4), 0.5)
    allowed = PerturbationSet.around(centre, schema, eps=0.4, norm=norm)
    gradient = torch.tensor([[3.0, -1.0, 0.5, 2.0], [0.0, 0.0, -1.0, 0.0]]) * magnitude
    stepped = allowed.step(centre, gradient, 0.1)
    assert allowed.distance(stepped).tolist() == pytest.approx([0.1, 0.1], rel=1e-4)
    # Steepest ascent: no other step of that length gains more on a linear function.
    gain = ((stepped - centre) * gradient / magnitude).sum(1)
    dual = torch.linalg.vector_norm(gradient / magnitude, ord={"Linf": 1.0, "L2": 2.0, "L1": torch.inf}[norm], dim=1)
    assert gain.tolist() == pytest.approx((0.1 * dual).tolist(), rel=1e-4)


def test_a_step_climbs_steepest_in_units_of_change() -> None:
    schema = Schema(
        "tabular", (Feature("a", "continuous", low=0.0, high=10.0), Feature("b", "continuous", low=0.0, high=100.0)), encoding="natural"
    )
    centre = torch.tensor([[5.0, 50.0]])
    allowed = PerturbationSet.around(centre, schema, eps=0.4, norm="L2")
    # Of a + b, the whole range of a gains 10 and that of b 100: the gradient in units of change is (10, 100).
    stepped = allowed.step(centre, torch.ones(1, 2), 0.1)
    assert ((stepped - centre) / schema.scale)[0].tolist() == pytest.approx([0.1 / 101**0.5, 1.0 / 101**0.5], rel=1e-4)


def test_no_gradient_is_no_step() -> None:
    allowed, _, gradient = case("unit", 0.3, "L2", 1)
    assert torch.equal(allowed.step(allowed.centre, torch.zeros_like(gradient), 0.1), allowed.centre)


def test_a_fraction_means_the_same_for_every_feature() -> None:
    schema = Schema(
        "tabular", (Feature("age", "continuous", low=20.0, high=70.0), Feature("debt", "continuous", scale=1000.0)), encoding="natural"
    )
    centre = torch.tensor([[40.0, 5000.0]])
    allowed = PerturbationSet.around(centre, schema, eps=0.1)
    assert allowed.project(centre + 1e6).tolist() == [[45.0, 5100.0]]
    assert allowed.distance(torch.tensor([[45.0, 5050.0]])).item() == pytest.approx(0.1)


def test_a_row_outside_the_bounds_keeps_its_own_value() -> None:
    schema = Schema("tabular", FEATURES)
    x = torch.full((1, 7), 0.5)
    x[0, 0], x[0, 1] = 1.3, -0.2
    allowed = PerturbationSet.around(x, schema, eps=0.1)
    assert torch.equal(allowed.project(x), x)
    assert allowed.project(x + 1.0)[0, 0].item() == pytest.approx(1.3)
    assert allowed.project(x - 1.0)[0, 0].item() == pytest.approx(1.2)


def test_unconstrained_only_the_bounds_hold() -> None:
    schema = Schema("tabular", FEATURES)
    centre = torch.full((1, 7), 0.5)
    allowed = PerturbationSet.around(centre, schema, eps=0.1, constrained=False)
    assert allowed.project(centre + 1)[0].tolist() == pytest.approx([0.6] * 7)
    assert allowed.project(centre - 1)[0].tolist() == pytest.approx([0.4] * 7)


def test_rows_of_a_set_are_a_set_of_these_rows() -> None:
    allowed, points, _ = case("natural", 0.3, "L2", 5)
    some = torch.tensor([4, 1])
    assert torch.equal(allowed[some].project(points[some]), allowed.project(points)[some])


def test_images_are_perturbed_as_a_whole() -> None:
    centre = torch.full((3, 1, 4, 4), 0.5)
    allowed = PerturbationSet(centre, torch.zeros_like(centre), torch.ones_like(centre), torch.ones(1, 4, 4), 0.2, "L2")
    assert allowed.distance(allowed.project(centre + 0.3)).tolist() == pytest.approx([0.2] * 3)
    assert allowed.distance(allowed.step(centre, torch.rand(3, 1, 4, 4, generator=Seed(0).torch()), 0.1)).tolist() == pytest.approx(
        [0.1] * 3, abs=1e-6
    )


@given(st.integers(0, 2**31), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_the_projection_in_l1_is_the_nearest_of_what_is_allowed(seed: int, width: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(1, width, generator=generator)
    allowed = PerturbationSet(x, torch.zeros_like(x), torch.ones_like(x), torch.ones(width), 0.3, "L1")
    far = x + torch.randn(1, width, generator=generator)
    found = allowed.project(far)
    assert allowed.distance(found).item() <= 0.3 + 1e-6
    assert ((found >= 0) & (found <= 1)).all()
    # By optimality no allowed point lies on the far side of the plane through what was found (Boyd and Vandenberghe, 2004, 4.2.3).
    corners = torch.cat([x + 0.3 * sign * torch.eye(width) for sign in (1, -1)]).clamp(0, 1)
    others = torch.cat([corners, allowed.project(x + torch.randn(50, width, generator=generator)), x])
    slope = (far - found)[0]
    assert ((others - found) @ slope).max().item() <= 1e-5


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_units_of_change_keep_distances_and_bounds(norm: Norm) -> None:
    x = torch.rand(5, 3, generator=torch.Generator().manual_seed(0)) * 10
    scale = torch.tensor([1.0, 4.0, 0.5])
    allowed = PerturbationSet(x, x - 2, x + 2, scale, 0.2, norm)
    units = allowed.in_units()
    far = x + torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(units.project(far / scale) * scale, allowed.project(far), atol=1e-5)
    assert torch.allclose(units.distance(far / scale), allowed.distance(far), atol=1e-5)


@pytest.mark.parametrize(
    ("eps", "norm", "message"), [(-0.1, "L2", "at least 0, got -0.1"), (float("nan"), "L2", "at least 0"), (0.1, "L3", "Linf, L2 or L1")]
)
def test_an_impossible_set_is_refused(eps: float, norm: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        case("unit", eps, norm, 0)
