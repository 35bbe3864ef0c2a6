"""Activation functions are judged by their slope, which autograd knows."""

from collections.abc import Callable

import pytest
import torch
from cases import cases
from torch import Tensor, nn
from torch.nn import functional

from classifier import Classifier
from explain.internals.diagnosing import diagnose
from explain.internals.diagnosis import Diagnosis

FLATTENING = [
    torch.tanh,
    Tensor.sigmoid,
    functional.softsign,
    functional.hardsigmoid,
    functional.hardtanh,
    lambda values: functional.hardtanh(values, -2.0, max_val=3.0),
    nn.Hardtanh(-0.5, 0.5, inplace=True),
]
NAMES = ["tanh", "sigmoid", "softsign", "hardsigmoid", "hardtanh", "limits", "in place"]


class Steep(nn.Module):
    """A network with an activation function of numbers that many times larger than they should be."""

    def __init__(self, function: Callable[[Tensor], Tensor], scale: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.function, self.scale = nn.Linear(7, 16), nn.Linear(16, 2), function, scale

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.scale * self.first(x)))

    def flat(self, x: Tensor) -> Tensor:
        """Where the function has a slope under 4 % of the steepest ``(N, 16)``."""
        values = (self.scale * self.first(x)).detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.function(values.clone()).sum(), values)
        steepest = torch.zeros(1, requires_grad=True)
        (most,) = torch.autograd.grad(self.function(steepest.clone()).sum(), steepest)
        return slope < 0.04 * most


def diagnosed(module: nn.Module) -> Diagnosis:
    data = cases("tabular", 2)
    return diagnose(Classifier.wrap(module, schema=data.schema, classes=data.classes), data)


@pytest.mark.parametrize("function", FLATTENING, ids=NAMES)
@pytest.mark.parametrize("scale", [0.1, 4.0, 15.0, 60.0, 1e3])
def test_the_saturated_share_of_a_layer_is_that_of_its_slopes(function: Callable[[Tensor], Tensor], scale: float) -> None:
    module = Steep(function, scale)
    flat = module.flat(cases("tabular", 2).inputs).double()
    found = diagnosed(module)
    (layer,) = [layer for layer in found.layers if layer.units]
    assert layer.saturation == pytest.approx(float(flat.mean()))
    assert layer.saturated == int((flat.mean(0) >= 0.95).sum())
    # The layer counts where no unit is saturated throughout.
    due = float(flat.mean()) >= 0.8 or layer.saturated >= 8
    assert ("saturated" in {symptom.kind for symptom in found.symptoms}) == due


def test_a_layer_of_which_four_fifths_are_saturated_is_found_though_half_of_its_units_are_not() -> None:
    module = Steep(torch.tanh, 25.0)
    found = diagnosed(module)
    (layer,) = [layer for layer in found.layers if layer.units]
    assert 0.8 <= layer.saturation < 0.95
    assert layer.saturated < 8
    assert f"{layer.saturation:.0%} of what tanh gives is saturated" in str(found)


def test_the_lower_corner_of_a_limited_relu_is_no_saturation() -> None:
    module = Steep(functional.relu6, 1.0)
    nn.init.constant_(module.first.bias, -2.0)
    (layer,) = [layer for layer in diagnosed(module).layers if layer.units]
    assert layer.kind == "ReLU6"
    assert layer.saturation == 0
    assert layer.dead > 0
    nn.init.constant_(module.first.bias, 50.0)
    assert [layer.saturated for layer in diagnosed(module).layers if layer.units] == [16]
