"""Interval bounds: no output of any input in a box lies outside them."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from classifier.architectures._layers import Standardize
from classifier.bounds import interval_bounds, margin_bounds
from classifier.errors import ModelError, NotApplicableError
from classifier.seeds import Seed

NORM = nn.BatchNorm2d(3)
NETWORKS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "relu": (nn.Sequential(Standardize((5,)), nn.Linear(5, 7), nn.ReLU(), nn.Dropout(0.5), nn.Linear(7, 3)), (5,)),
    "tanh": (nn.Sequential(nn.Sequential(nn.Linear(5, 7, bias=False), nn.Tanh()), nn.Linear(7, 3, bias=False)), (5,)),
    "gelu": (nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 3), nn.Sigmoid()), (5,)),
    "convolution": (
        nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, stride=2), NORM, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 3)),
        (2, 6, 6),
    ),
    "pooling": (nn.Sequential(nn.Conv2d(2, 3, 3), nn.GELU(), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(3, 3)), (2, 6, 6)),
    "series": (nn.Sequential(nn.Conv1d(2, 3, 3, dilation=2), nn.BatchNorm1d(3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten()), (2, 6)),
    "leaky": (nn.Sequential(nn.Linear(5, 7), nn.LeakyReLU(0.3), nn.Linear(7, 3)), (5,)),
    "logit": (nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 1)), (5,)),
}


def network(name: str, seed: int) -> tuple[nn.Module, tuple[int, ...]]:
    """A network with weights and statistics of its own, in evaluation."""
    module, shape = NETWORKS[name]
    generator = Seed(seed, ("network", name)).torch()
    for key, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            positive = "var" in key or "deviation" in key
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 2 + (0.2 if positive else -1))
    return module.eval(), shape


def box(shape: tuple[int, ...], width: float, seed: int) -> tuple[Tensor, Tensor]:
    generator = Seed(seed, ("box",)).torch()
    lower = torch.randn(4, *shape, generator=generator)
    return lower, lower + width * torch.rand(4, *shape, generator=generator)


def points(lower: Tensor, upper: Tensor, seed: int) -> Tensor:
    """Points of each row's box ``(M, N, *S)``: corners and inner ones."""
    share = torch.rand(60, *lower.shape, generator=Seed(seed, ("points",)).torch())
    share = torch.cat([share, share.round(), torch.zeros_like(share[:1]), torch.ones_like(share[:1])])
    return lower + share * (upper - lower)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(NETWORKS)), st.sampled_from([0.0, 0.01, 0.3, 5.0]), st.integers(0, 10_000))
def test_every_output_of_the_box_lies_within_the_bounds(name: str, width: float, seed: int) -> None:
    module, shape = network(name, seed)
    lower, upper = box(shape, width, seed)
    low, high = interval_bounds(module, lower, upper)
    for x in points(lower, upper, seed):
        outputs = module(x)
        slack = 1e-4 * (1 + outputs.abs())
        assert (outputs >= low - slack).all()
        assert (outputs <= high + slack).all()
        if width == 0:
            assert torch.allclose(low, outputs, atol=1e-4, rtol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["relu", "gelu", "convolution", "series", "logit"]), st.sampled_from([0.01, 0.5]), st.integers(0, 10_000))
def test_no_margin_of_the_box_is_above_its_bound_and_merging_the_last_layer_is_tighter(name: str, width: float, seed: int) -> None:
    module, shape = network(name, seed)
    lower, upper = box(shape, width, seed)
    low, high = interval_bounds(module, lower, upper)
    classes = 2 if low.shape[1] == 1 else low.shape[1]
    labels = torch.arange(4) % min(classes, 3)
    bound = margin_bounds(module, lower, upper, labels)
    for x in points(lower, upper, seed):
        z = module(x)
        z = torch.cat([-z / 2, z / 2], 1) if z.shape[1] == 1 else z
        margin = z - z.gather(1, labels[:, None])
        assert (margin <= bound + 1e-4 * (1 + margin.abs())).all()
    if classes > 2:
        apart = high - low.gather(1, labels[:, None])
        others = torch.ones_like(apart, dtype=torch.bool).scatter(1, labels[:, None], False)
        assert (bound[others] <= apart[others] + 1e-4 * (1 + apart[others].abs())).all()


def test_the_margins_of_a_linear_model_are_reached_at_a_corner() -> None:
    module = nn.Sequential(Standardize((5,)), nn.Linear(5, 3))
    lower, upper = box((5,), 1.0, 0)
    labels = torch.tensor([0, 1, 2, 0])
    corners = torch.stack([torch.where(torch.tensor(side), upper, lower) for side in product([False, True], repeat=5)])
    z = module(corners)
    worst = (z - z.gather(2, labels.expand(len(z), 4)[..., None])).amax(0)
    assert torch.allclose(margin_bounds(module, lower, upper, labels), worst, atol=1e-5)


def test_gelu_is_bounded_by_its_lowest_value_where_the_box_holds_it() -> None:
    lower, upper = torch.tensor([[-3.0, -3.0, -0.5]]), torch.tensor([[1.0, -1.0, 2.0]])
    low, high = interval_bounds(nn.GELU(), lower, upper)
    grid = torch.linspace(0, 1, 20_001)[:, None] * (upper - lower) + lower
    values = nn.GELU()(grid)
    assert torch.allclose(low[0], values.amin(0), atol=1e-6)
    assert torch.allclose(high[0], values.amax(0), atol=1e-6)


def test_dropout_and_batch_normalisation_are_those_of_evaluation_in_training_too() -> None:
    for name in ("relu", "convolution"):
        module, shape = network(name, 1)
        lower, upper = box(shape, 0.2, 1)
        expected = interval_bounds(module, lower, upper)
        again = interval_bounds(module.train(), lower, upper)
        assert torch.equal(torch.stack(again), torch.stack(expected))


def test_the_bounds_are_differentiable_with_respect_to_the_weights() -> None:
    layer = nn.Linear(3, 2)
    low, high = interval_bounds(nn.Sequential(layer, nn.ReLU()), torch.zeros(1, 3), torch.ones(1, 3))
    (high - low).sum().backward()  # type: ignore[no-untyped-call]
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


class Halved(nn.ReLU):
    """A layer that is called like one with a rule, and computes something else."""

    def forward(self, x: Tensor) -> Tensor:
        return -super().forward(x)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.LayerNorm(3), "no rule for the layer LayerNorm"),
        (Halved(), "no rule for the layer Halved"),
        (nn.GELU("tanh"), "not its approximation by tanh"),
        (nn.BatchNorm1d(3, track_running_stats=False), "running statistics"),
        (nn.LeakyReLU(-0.1), "slope of LeakyReLU of at least 0, got -0.1"),
        (nn.MaxPool1d(2, return_indices=True), "without indices"),
    ],
)
def test_a_layer_without_a_rule_is_refused_by_name(layer: nn.Module, message: str) -> None:
    with pytest.raises(NotApplicableError, match=message):
        interval_bounds(nn.Sequential(layer), torch.zeros(2, 3), torch.ones(2, 3))


def test_a_layer_that_writes_over_its_input_leaves_the_box_as_it_was() -> None:
    lower, upper = torch.full((1, 2), -1.0), torch.ones(1, 2)
    bounds = interval_bounds(nn.ReLU(inplace=True), lower, upper)
    assert torch.equal(torch.cat(bounds), torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    assert torch.equal(lower, torch.full((1, 2), -1.0))


def test_a_box_inside_out_is_refused() -> None:
    with pytest.raises(ModelError, match="nowhere above the upper ones"):
        interval_bounds(nn.ReLU(), torch.ones(1, 2), torch.zeros(1, 2))


@pytest.mark.parametrize("name", ["hook", "inner hook", "weight_norm", "spectral_norm", "parametrization", "forward", "divisor"])
def test_what_may_do_something_else_than_its_type_tells_is_refused(name: str) -> None:
    layer = nn.Linear(4, 4)
    module = nn.Sequential(nn.Sequential(layer, nn.ReLU()), nn.Linear(4, 2))
    shape: tuple[int, ...] = (2, 4)
    if name == "hook":
        layer.register_forward_hook(lambda module, inputs, output: -output)
    elif name == "inner hook":
        module[0].register_forward_hook(lambda module, inputs, output: -output)
    elif name == "weight_norm":
        torch.nn.utils.weight_norm(layer)
    elif name == "spectral_norm":
        torch.nn.utils.spectral_norm(layer)
    elif name == "parametrization":
        torch.nn.utils.parametrizations.weight_norm(layer)
    elif name == "forward":
        module[0][1].forward = lambda x: -x
    else:
        module, shape = nn.Sequential(nn.AvgPool2d(2, divisor_override=-3), nn.Flatten(), nn.Linear(4, 2)), (2, 1, 4, 4)
    for bounds in (interval_bounds, lambda *box: margin_bounds(*box, torch.tensor([0, 1]))):
        with pytest.raises(NotApplicableError, match="interval bounds"):
            bounds(module, torch.zeros(shape), torch.ones(shape))
