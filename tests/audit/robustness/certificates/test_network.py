"""A network as operations: they compute what it computes, and what cannot be followed or bounded is refused by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.robustness.certificates.layers import KNOWN
from audit.robustness.certificates.tracing import traced
from classifier import Classifier
from classifier.architecture import ARCHITECTURES
from classifier.bounds import layer_bounds
from classifier.errors import NotApplicableError
from classifier.schema import Feature, Schema
from classifier.seeds import Seed

Build = Callable[[str, int], Classifier]
IMAGE = Schema("image", (Feature("gray", "continuous", low=0.0, high=1.0),), size=(8, 8))


class Of(nn.Module):
    """A module that calls a function of its input."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Halved(nn.ReLU):
    """A layer that is called like one that is known, and computes something else."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / -2


class Loud(nn.Linear):
    """A layer whose own code does what cannot be bounded."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).exp()


@pytest.mark.parametrize("name", ["relu", "leaky", "tanh", "sigmoid", "gelu", "logit", "pooled", "residual", "series"])
def test_the_operations_compute_what_the_network_computes(random_network: Build, name: str) -> None:
    classifier = random_network(name, 1)
    assert classifier.module is not None
    network = traced(classifier.module, classifier.schema.shape)
    x = 3 * torch.randn(7, *classifier.schema.shape, generator=Seed(0, ("x",)).torch())
    assert torch.allclose(network(x), classifier.module(x).double(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["logistic", "mlp", "cnn", "resnet"])
def test_the_architectures_of_plain_layers_can_be_followed(name: str) -> None:
    module = ARCHITECTURES[name]().build(IMAGE, 3).eval()
    x = torch.rand(4, 1, 8, 8, generator=Seed(0, ("x",)).torch())
    assert torch.allclose(traced(module, (1, 8, 8))(x), module(x).double(), atol=1e-4)


def test_a_layer_of_ones_own_is_followed_by_its_code_and_not_by_its_name() -> None:
    module = nn.Sequential(nn.Linear(3, 4), Halved(), nn.Linear(4, 2)).eval()
    x = torch.randn(5, 3, generator=Seed(0, ("x",)).torch())
    assert torch.allclose(traced(module, (3,))(x), module(x).double(), atol=1e-5)


def test_every_layer_that_is_known_has_a_rule_for_intervals() -> None:
    for kind in KNOWN - {nn.Linear, nn.Conv1d, nn.Conv2d}:
        arguments = {"Standardize": ((3,),), "BatchNorm1d": (3,), "BatchNorm2d": (3,)}.get(kind.__name__, ())
        pooling = "Pool" in kind.__name__
        layer = kind(*(arguments or ((2,) if pooling else ()))).eval()
        shape = (2, 3, 4, 4) if "2d" in kind.__name__ else (2, 3, 4) if "1d" in kind.__name__ else (2, 3)
        lower, upper = layer_bounds(layer, torch.zeros(shape), torch.ones(shape))
        assert (lower <= upper).all()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), nn.LayerNorm(3))), "not certifiable: LayerNorm at 1.1"),
        (nn.Sequential(nn.Linear(3, 3), nn.Softplus()), "not certifiable: Softplus at 1"),
        (nn.Sequential(Loud(3, 3)), "not certifiable: the function exp at 0"),
        (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))), "not certifiable: ParametrizedLinear at 0"),
        (nn.Sequential(nn.GELU("tanh")), "not certifiable: GELU in its approximation by tanh at 0"),
        (nn.Sequential(nn.LeakyReLU(-0.5)), "not certifiable: LeakyReLU with a slope of -0.5"),
        (nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False)), "not certifiable: BatchNorm1d without running statistics at 0"),
        (Of(lambda x: x * x), "by what depends on the input"),
        (Of(lambda x: 1 / x), "by what depends on the input"),
        (Of(lambda x: x / 0), "infinite"),
        (Of(lambda x: x if x.sum() > 0 else -x), "cannot be followed"),
        (Of(lambda x: x - x.mean(0)), "rows apart"),
        (Of(lambda x: x[[1, 0]]), "rows apart"),
        (Of(lambda x: torch.cat([x[1:], x[:1]])), "rows apart"),
        (Of(lambda x: x / x.size(0)), "number of rows"),
        (Of(lambda x: x * x.sum().item()), "not certifiable"),
        (Of(lambda x: x[x > 0]), "not certifiable"),
        (Of(lambda x: functional.dropout(x)), "the function dropout"),
        (Of(lambda x: torch.rand_like(x) + x), "the function rand_like"),
        (Of(lambda x: x + functional.relu(-x + 1, inplace=True) + x), None),
        (Of(lambda x: _writes_over(-x)), "writes over its input"),
        (Of(lambda x: torch.ones(3)), "do not depend on the inputs"),
    ],
)
def test_what_cannot_be_bounded_is_refused_by_name(module: nn.Module, message: str | None) -> None:
    if message is None:
        traced(module.eval(), (3,))
        return
    with pytest.raises(NotApplicableError, match=r"^not certifiable: ") as error:
        traced(module.eval(), (3,))
    assert message in str(error.value)


def _writes_over(x: Tensor) -> Tensor:
    return x + functional.relu(x.view(x.size(0), -1), inplace=True)


@pytest.mark.parametrize("change", ["hook", "training", "forward", "global"])
def test_what_a_trace_would_not_see_is_refused(change: str) -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5)).eval()
    handle = None
    if change == "hook":
        module[0].register_forward_hook(lambda layer, inputs, output: 2 * output)
    elif change == "training":
        module.train()
    elif change == "forward":
        module[0].forward = lambda x: 2 * x
    else:
        handle = nn.modules.module.register_module_forward_hook(lambda layer, inputs, output: None)
    try:
        with pytest.raises(NotApplicableError, match=r"hook|in training|was replaced"):
            traced(module, (3,))
    finally:
        if handle is not None:
            handle.remove()


def test_following_a_module_leaves_it_as_it_was() -> None:
    layer = nn.Linear(3, 3)
    module = nn.Sequential(layer, Of(lambda x: x + torch.ones(3)))
    before = dict(vars(module))
    weight = layer.weight.clone()
    traced(module.eval(), (3,))
    assert vars(module).keys() == before.keys()
    assert torch.equal(layer.weight, weight)
    assert layer.weight.dtype == torch.float32
