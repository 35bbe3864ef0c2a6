"""CROWN: no input of a region has a margin below its bound, and lines tell more than intervals do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from audit.robustness.certificates.crown import bounded
from audit.robustness.certificates.lines import lines_of
from audit.robustness.certificates.margins import margin_lower_bounds
from audit.robustness.certificates.maxima import Maxima
from audit.robustness.certificates.region import Region
from audit.robustness.certificates.tracing import traced
from audit.robustness.reach import with_rounding
from classifier import Classifier, Feature, Schema
from classifier.perturbation import Norm
from classifier.seeds import Seed

Build = Callable[[str, int], Classifier]
Search = Callable[[Classifier, Tensor, Tensor, float, Norm, int], Tensor]
NAMES = ["relu", "leaky", "tanh", "sigmoid", "gelu", "logit", "pooled", "residual", "series"]
ACTIVATIONS = [nn.ReLU(), nn.LeakyReLU(0.2), nn.LeakyReLU(1.0), nn.Tanh(), nn.Sigmoid(), nn.GELU()]


def rows(classifier: Classifier, seed: int) -> tuple[Tensor, Tensor]:
    x = torch.rand(3, *classifier.schema.shape, generator=Seed(seed, ("rows",)).torch())
    return x, torch.arange(3) % len(classifier.classes)


@settings(max_examples=36, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.sampled_from([("Linf", 0.02), ("Linf", 0.5), ("L2", 0.2), ("L2", 1.5), ("L1", 0.4), ("L1", 3.0)]),
    st.sampled_from(["ibp", "crown_ibp", "crown", "alpha_crown"]),
    st.integers(0, 10_000),
)
def test_no_point_of_a_region_has_a_margin_below_its_bound(
    random_network: Build, worst_seen: Search, name: str, ball: tuple[Norm, float], method: str, seed: int
) -> None:
    classifier, (norm, eps) = random_network(name, seed), ball
    x, y = rows(classifier, seed)
    bounds = margin_lower_bounds(classifier, x, y, eps=eps, norm=norm, method=method, steps=3)  # type: ignore[arg-type]
    others = bounds.isfinite()
    assert others.sum() == 3 * (len(classifier.classes) - 1)
    assert (bounds <= worst_seen(classifier, x, y, eps, norm, seed))[others].all()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(ACTIVATIONS) - 1), st.floats(-9, 9), st.sampled_from([0.0, 1e-9, 1e-3, 0.5, 4.0, 40.0]))
def test_an_activation_lies_between_its_lines(kind: int, low: float, width: float) -> None:
    layer = ACTIVATIONS[kind]
    lower = torch.tensor([[low]], dtype=torch.float64)
    lines = lines_of(layer, lower, lower + width)
    x = torch.linspace(0, 1, 2001, dtype=torch.float64)[None] * width + lower
    assert (lines.low_slope * x + lines.low_shift <= layer(x) + 1e-14).all()
    assert (lines.high_slope * x + lines.high_shift >= layer(x) - 1e-14).all()


def test_the_lines_of_a_smooth_activation_touch_it_on_both_sides() -> None:
    for layer in ACTIVATIONS[3:]:
        lower, upper = torch.tensor([[-3.0, 0.5, -0.4]]).double(), torch.tensor([[2.0, 2.5, 0.3]]).double()
        lines = lines_of(layer, lower, upper)
        x = torch.linspace(0, 1, 4001, dtype=torch.float64)[:, None] * (upper - lower) + lower
        assert torch.allclose((layer(x) - lines.low_slope * x - lines.low_shift).amin(0), torch.zeros(3).double(), atol=1e-6)
        assert torch.allclose((lines.high_slope * x + lines.high_shift - layer(x)).amin(0), torch.zeros(3).double(), atol=1e-6)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, padding=1), nn.MaxPool2d(2, 1, dilation=2)], ids=str)
def test_a_maximum_lies_between_what_is_known_of_it(pool: nn.MaxPool2d) -> None:
    generator = Seed(0, ("pool",)).torch()
    lower = torch.randn(4, 2, 6, 6, generator=generator).double()
    upper = lower + torch.rand(lower.shape, generator=generator)
    known = Maxima.of(pool, lower, upper)
    assert known.decided.any()
    assert not known.decided.all()
    for _ in range(20):
        x = lower + torch.rand(lower.shape, generator=generator) * (upper - lower)
        highest, surest = pool(x).flatten(1), x.flatten(1).gather(1, known.surest)
        assert (surest <= highest).all()
        assert (highest <= known.most).all()
        assert torch.equal(surest[known.decided], highest[known.decided])


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_the_worst_of_a_linear_network_is_the_closed_form_of_its_norm(norm: Norm) -> None:
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=-100.0, high=100.0) for i in range(6)), encoding="natural")
    layer = nn.Linear(6, 3)
    layer.weight.data = torch.randn(3, 6, generator=Seed(0, ("linear",)).torch())
    classifier = Classifier.wrap(layer, schema=schema, classes=("a", "b", "c"))
    x, y = torch.randn(5, 6, generator=Seed(1, ("linear",)).torch()), torch.tensor([0, 1, 2, 0, 1])
    z, eps = classifier.logits(x).double(), 0.002
    dual = {"Linf": 1, "L2": 2, "L1": torch.inf}[norm]
    apart = torch.linalg.vector_norm((layer.weight[y][:, None] - layer.weight).double(), ord=dual, dim=2)
    # A unit of change is a feature's whole range, here 200; rounding may carry a row a little further.
    expected = z.gather(1, y[:, None]) - z - 200 * with_rounding(eps) * apart
    bounds = margin_lower_bounds(classifier, x, y, eps=eps, norm=norm)
    others = bounds.isfinite()
    assert (bounds <= expected)[others].all()
    assert torch.allclose(bounds[others], expected[others], atol=2e-4, rtol=1e-5)


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_the_least_over_ball_and_box_is_reached_by_a_point_of_both(norm: Norm) -> None:
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(3)))
    x, slope = torch.tensor([[0.1, 0.5, 0.95]]), torch.tensor([[3.0, -1.0, 2.0]], dtype=torch.float64)
    region = Region.around(x, schema, eps=0.45, norm=norm, constrained=False)
    axes = [torch.linspace(float(low), float(high), 81) for low, high in zip(region.lower[0], region.upper[0], strict=True)]
    grid = torch.cartesian_prod(*axes).double()
    order = {"Linf": torch.inf, "L2": 2, "L1": 1}[norm]
    inside = grid[torch.linalg.vector_norm(grid - x.double(), ord=order, dim=1) <= region.eps]
    found, least = (inside @ slope[0]).amin(), region.least(slope, torch.zeros(1, dtype=torch.int64))[0]
    assert least <= found
    assert found - least < 0.02


@pytest.mark.parametrize("name", ["relu", "leaky", "logit", "residual", "pooled"])
def test_crown_is_at_least_as_tight_as_intervals_and_tightening_helps(random_network: Build, name: str) -> None:
    means = []
    for method in ("ibp", "crown_ibp", "crown"):
        bounds = []
        for seed in range(5):
            classifier = random_network(name, seed)
            x, y = rows(classifier, seed)
            bound = margin_lower_bounds(classifier, x, y, eps=0.05, method=method)
            bounds.append(bound[bound.isfinite()])
        means.append(torch.cat(bounds))
    assert (means[1] >= means[0]).all()
    assert means[1].mean() > means[0].mean()
    assert means[2].mean() >= means[1].mean()


def test_the_bounds_of_inner_elements_hold_and_nest(random_network: Build) -> None:
    classifier = random_network("residual", 3)
    assert classifier.module is not None
    network = traced(classifier.module, classifier.schema.shape)
    x, _ = rows(classifier, 3)
    region = Region.around(x, classifier.schema, eps=0.1, norm="Linf", constrained=False)
    wide, tight = (bounded(network, region, relax=True, tighten=tighten).boxes for tighten in (False, True))
    for (low, high), (closer_low, closer_high) in zip(wide, tight, strict=True):
        assert (low <= closer_low + 1e-12).all()
        assert (closer_high <= high + 1e-12).all()
    assert (tight[-1][0] - wide[-1][0]).amax() > 0
    for corner in (region.lower, region.upper, region.centre):
        outputs = network(corner)
        assert (tight[-1][0] <= outputs + 1e-9).all()
        assert (outputs <= tight[-1][1] + 1e-9).all()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.1), nn.Sigmoid(), nn.GELU()], ids=str)
def test_an_activation_before_a_maximum_has_no_tighter_bounds_than_its_box(activation: nn.Module) -> None:
    convolutions = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 3)
    module = nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1], activation, nn.MaxPool2d(2), nn.Flatten()).eval()
    generator = Seed(5, ("activation",)).torch()
    for tensor in module.parameters():
        tensor.data = torch.rand(tensor.shape, generator=generator) * 2 - 1
    schema = Schema("image", (Feature("gray", "continuous", low=0.0, high=1.0),), size=(6, 6))
    region = Region.around(torch.rand(3, 1, 6, 6, generator=generator), schema, eps=0.05, norm="Linf", constrained=False)
    network = traced(module, (1, 6, 6))
    known = bounded(network, region, relax=True, tighten=True)
    unit, rows = network.units(4, torch.arange(16).repeat(3)), torch.arange(3).repeat_interleave(16)
    low, high = (sign * known.least({4: sign * unit}, torch.zeros(48).double(), rows).reshape(3, 4, 2, 2) for sign in (1, -1))
    assert (low <= known.boxes[4][0] + 1e-9).all()
    assert (known.boxes[4][1] <= high + 1e-9).all()
    assert (known.boxes[4][1] > known.boxes[4][0]).any()


def test_the_size_of_chunks_changes_nothing(random_network: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = random_network("residual", 0)
    x, y = rows(classifier, 0)
    whole = margin_lower_bounds(classifier, x, y, eps=0.1)
    monkeypatch.setattr("audit.robustness.certificates.margins.chunk_size", lambda shape: 2)
    monkeypatch.setattr("audit.robustness.certificates.crown._COEFFICIENTS", 1000)
    assert torch.allclose(whole, margin_lower_bounds(classifier, x, y, eps=0.1), atol=1e-6)
