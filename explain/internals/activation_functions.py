"""Activation functions: where each is called, which of its units are dead, and where it is saturated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

# A GELU or SiLU that gives less has a slope of less than 1e-4.
_NOTHING = 1e-6


@dataclass(frozen=True)
class ActivationFunction:
    """An activation function as it was called.

    Args:
        name: What it is called.
        dies: Whether it gives 0 and has no slope on one side, so that a unit may be dead.
        far: Where its values have a slope under 4 % of the steepest; ``None`` for one that goes on without limit.
    """

    name: str
    dies: bool = False
    far: Callable[[Tensor], Tensor] | None = None

    def alive(self, values: Tensor) -> Tensor:
        """Where a unit gives more than a dead one does."""
        return values != 0 if self.name.startswith("ReLU") else values.abs() > _NOTHING


_RELU = ActivationFunction("ReLU", dies=True)
_RELU_6 = ActivationFunction("ReLU6", dies=True, far=lambda y: y >= 6)
_FUNCTIONS: dict[Callable[..., Any], ActivationFunction] = {
    **dict.fromkeys((functional.relu, functional.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), _RELU),
    functional.relu6: _RELU_6,
    functional.gelu: ActivationFunction("GELU", dies=True),
    functional.silu: ActivationFunction("SiLU", dies=True),
    functional.hardswish: ActivationFunction("Hardswish", dies=True),
    # sigmoid'(x) = y (1 - y), tanh'(x) = 1 - y^2 and softsign'(x) = (1 - |y|)^2; the hard ones have no slope beyond their corners.
    **dict.fromkeys(
        (functional.sigmoid, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_),
        ActivationFunction("sigmoid", far=lambda y: (y - 0.5).abs() > 0.49),
    ),
    **dict.fromkeys(
        (functional.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_),
        ActivationFunction("tanh", far=lambda y: y.abs() > 0.98),
    ),
    functional.softsign: ActivationFunction("softsign", far=lambda y: y.abs() > 0.8),
    functional.hardsigmoid: ActivationFunction("Hardsigmoid", far=lambda y: (y <= 0) | (y >= 1)),
}


def activation_function(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActivationFunction | None:
    """Which activation function a call of torch is; ``None`` for anything else."""
    if func not in (functional.hardtanh, functional.hardtanh_):
        return _FUNCTIONS.get(func)
    given = dict(zip(("input", "min_val", "max_val"), args, strict=False)) | kwargs
    low, high = float(given.get("min_val", -1.0)), float(given.get("max_val", 1.0))
    # `nn.ReLU6` calls one from 0 to 6, whose lower corner is that of a ReLU.
    if low == 0:
        return ActivationFunction(f"ReLU{high:g}", dies=True, far=lambda y: y >= high)
    return ActivationFunction("Hardtanh", far=lambda y: (y <= low) | (y >= high))
