"""ONNX operators as functions of torch (the ONNX operator specification, domain ai.onnx, versions 7 to 23).

An operator whose gradient is nothing or zero everywhere is left out on purpose: a classifier that uses one is a black box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # its usual name

from classifier.programs.onnx_inputs import Attributes, Operator, given, numbers, pointwise
from classifier.programs.onnx_layers import LAYERS
from classifier.programs.onnx_recurrent import RECURRENT
from classifier.programs.onnx_shapes import SHAPES

#: Operators whose gradient is nothing or zero everywhere.
WITHOUT_GRADIENT = frozenset({
    "ArgMax", "ArgMin", "Bernoulli", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Ceil", "Floor",
    "IsInf", "IsNaN", "Multinomial", "NonZero", "Round", "Sign",
})  # fmt: skip


def _reduce(function: Callable[..., Tensor]) -> Operator:
    def reduced(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
        x, axes = inputs[0], numbers(inputs, 1, attributes, "axes")
        if not axes:
            if attributes.get("noop_with_empty_axes", 0):
                return torch.as_tensor(x)
            axes = list(range(x.dim()))
        return function(x, dim=tuple(axes), keepdim=bool(attributes.get("keepdims", 1)))

    return reduced


def _product(x: Tensor, dim: Sequence[int], keepdim: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in dim), reverse=True):
        x = x.prod(axis, keepdim=keepdim)
    return x


def _clip(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    low = given(inputs, 1) if given(inputs, 1) is not None else attributes.get("min")
    high = given(inputs, 2) if given(inputs, 2) is not None else attributes.get("max")
    return torch.as_tensor(inputs[0] if low is None and high is None else torch.clamp(inputs[0], low, high))


def _divide(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    whole = not inputs[0].is_floating_point()
    return torch.div(inputs[0], inputs[1], rounding_mode="trunc" if whole else None)


def _mean_of(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    return torch.as_tensor(sum(inputs) / len(inputs))


def _prelu(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    return torch.where(inputs[0] >= 0, inputs[0], inputs[0] * inputs[1])


def _modulo(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    # The sign of the divisor, or of the dividend.
    return (torch.fmod if attributes.get("fmod", 0) else torch.remainder)(inputs[0], inputs[1])


def _running_sum(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, axis = inputs[0], int(inputs[1].item())
    x = x.flip(axis) if attributes.get("reverse", 0) else x
    total = x.cumsum(axis) - (x if attributes.get("exclusive", 0) else 0)
    return total.flip(axis) if attributes.get("reverse", 0) else total


def _selu(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    scale = attributes.get("gamma", 1.0507009873554805)
    return torch.as_tensor(scale * F.elu(inputs[0], attributes.get("alpha", 1.6732632423543772)))


OPERATORS: dict[str, Operator] = {
    **SHAPES,
    **LAYERS,
    **RECURRENT,
    "Abs": pointwise(torch.abs),
    "Add": pointwise(torch.add),
    "And": pointwise(torch.logical_and),
    "Atan": pointwise(torch.atan),
    "Celu": lambda inputs, attributes, opset: F.celu(inputs[0], attributes.get("alpha", 1.0)),
    "Clip": _clip,
    "Cos": pointwise(torch.cos),
    "CumSum": _running_sum,
    "Div": _divide,
    "Elu": lambda inputs, attributes, opset: F.elu(inputs[0], attributes.get("alpha", 1.0)),
    "Equal": pointwise(torch.eq),
    "Erf": pointwise(torch.erf),
    "Exp": pointwise(torch.exp),
    "Gelu": lambda inputs, attributes, opset: F.gelu(inputs[0], approximate=attributes.get("approximate", "none")),
    "Greater": pointwise(torch.gt),
    "GreaterOrEqual": pointwise(torch.ge),
    "HardSigmoid": lambda inputs, attributes, opset: (
        attributes.get("alpha", 0.2) * inputs[0] + attributes.get("beta", 0.5)
    ).clamp(0, 1),
    "HardSwish": pointwise(F.hardswish),
    "LeakyRelu": lambda inputs, attributes, opset: F.leaky_relu(inputs[0], attributes.get("alpha", 0.01)),
    "Less": pointwise(torch.lt),
    "LessOrEqual": pointwise(torch.le),
    "Log": pointwise(torch.log),
    "Max": lambda inputs, attributes, opset: reduce(torch.maximum, inputs),
    "Mean": _mean_of,
    "Min": lambda inputs, attributes, opset: reduce(torch.minimum, inputs),
    "Mish": pointwise(F.mish),
    "Mod": _modulo,
    "Mul": pointwise(torch.mul),
    "Neg": pointwise(torch.neg),
    "Not": pointwise(torch.logical_not),
    "Or": pointwise(torch.logical_or),
    "PRelu": _prelu,
    "Pow": pointwise(torch.pow),
    "Reciprocal": pointwise(torch.reciprocal),
    "ReduceL1": _reduce(lambda x, dim, keepdim: x.abs().sum(dim, keepdim=keepdim)),
    "ReduceL2": _reduce(torch.linalg.vector_norm),
    "ReduceLogSum": _reduce(lambda x, dim, keepdim: x.sum(dim, keepdim=keepdim).log()),
    "ReduceLogSumExp": _reduce(torch.logsumexp),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceProd": _reduce(_product),
    "ReduceSum": _reduce(torch.sum),
    "ReduceSumSquare": _reduce(lambda x, dim, keepdim: x.square().sum(dim, keepdim=keepdim)),
    "Relu": pointwise(torch.relu),
    "Selu": _selu,
    "Sigmoid": pointwise(torch.sigmoid),
    "Sin": pointwise(torch.sin),
    "Softplus": pointwise(F.softplus),
    "Softsign": pointwise(F.softsign),
    "Sqrt": pointwise(torch.sqrt),
    "Sub": pointwise(torch.sub),
    "Sum": lambda inputs, attributes, opset: torch.as_tensor(sum(inputs)),
    "Tan": pointwise(torch.tan),
    "Tanh": pointwise(torch.tanh),
    "Xor": pointwise(torch.logical_xor),
}  # fmt: skip
