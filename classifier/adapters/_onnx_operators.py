"""ONNX operators as functions of torch (the ONNX operator specification, domain ai.onnx, versions 7 to 23).

An operator whose gradient is nothing or zero everywhere (ArgMax, Floor, Round, Sign) is left out on purpose: a
classifier that uses one is a black box.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # its usual name

Attributes = Mapping[str, Any]
#: From the inputs (``None`` where one is left out), the attributes and the version of the operators, to the output.
Operator = Callable[[Sequence[Any], Attributes, int], Tensor | tuple[Tensor, ...]]

# Numbers of onnx.TensorProto.DataType.
DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip


def _given(inputs: Sequence[Any], index: int) -> Any:
    return inputs[index] if len(inputs) > index else None


def _numbers(inputs: Sequence[Any], index: int, attributes: Attributes, name: str) -> list[int] | None:
    """Whole numbers that older versions have as an attribute, newer ones as an input."""
    given = _given(inputs, index)
    if given is not None:
        numbers: list[int] = given.reshape(-1).tolist()
        return numbers
    return list(attributes[name]) if name in attributes else None


def _flatten(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, axis = inputs[0], attributes.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    rows = 1
    for extent in x.shape[:axis]:
        rows *= extent
    return torch.as_tensor(x).reshape(rows, -1)


def _reshape(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, shape = inputs[0], _numbers(inputs, 1, attributes, "shape") or []
    if not attributes.get("allowzero", 0):
        shape = [x.shape[axis] if extent == 0 else extent for axis, extent in enumerate(shape)]
    return torch.as_tensor(x).reshape(shape)


def _gemm(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    a = inputs[0].mT if attributes.get("transA", 0) else inputs[0]
    b = inputs[1].mT if attributes.get("transB", 0) else inputs[1]
    answer: Tensor = attributes.get("alpha", 1.0) * (a @ b)
    bias = _given(inputs, 2)
    return answer if bias is None else answer + attributes.get("beta", 1.0) * bias


def _softmax(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    return _over(inputs[0], attributes, opset, torch.softmax)


def _log_softmax(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    return _over(inputs[0], attributes, opset, torch.log_softmax)


def _over(x: Tensor, attributes: Attributes, opset: int, function: Callable[..., Tensor]) -> Tensor:
    if opset >= 13:
        return function(x, dim=attributes.get("axis", -1))
    # Before version 13 everything from the axis on is one axis.
    return function(x.flatten(attributes.get("axis", 1)), dim=-1).reshape(x.shape)


def _padding(x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], attributes: Attributes) -> list[int]:
    """Padding as torch orders it: last axis first, before and after."""
    axes = len(kernel)
    mode = attributes.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pairs = []
        for size, k, s, d in zip(x.shape[2:], kernel, strides, dilations, strict=True):
            total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
            less, more = total // 2, total - total // 2
            pairs.append((less, more) if mode == "SAME_UPPER" else (more, less))
    else:
        pads = list(attributes.get("pads", [0] * 2 * axes)) if mode == "NOTSET" else [0] * 2 * axes
        pairs = list(zip(pads[:axes], pads[axes:], strict=True))
    return [extent for pair in reversed(pairs) for extent in pair]


def _conv(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, weight = inputs[0], inputs[1]
    kernel = list(weight.shape[2:])
    strides = list(attributes.get("strides", [1] * len(kernel)))
    dilations = list(attributes.get("dilations", [1] * len(kernel)))
    x = F.pad(x, _padding(x, kernel, strides, dilations, attributes))
    function: Callable[..., Tensor] = (F.conv1d, F.conv2d, F.conv3d)[len(kernel) - 1]
    return function(x, weight, _given(inputs, 2), stride=strides, dilation=dilations, groups=attributes.get("group", 1))


def _pool(inputs: Sequence[Any], attributes: Attributes, *, largest: bool) -> Tensor:
    x, kernel = inputs[0], list(attributes["kernel_shape"])
    strides = list(attributes.get("strides", [1] * len(kernel)))
    dilations = list(attributes.get("dilations", [1] * len(kernel)))
    padding = _padding(x, kernel, strides, dilations, attributes)
    if attributes.get("ceil_mode", 0):
        raise NotImplementedError("pooling with ceil_mode")
    if largest:
        pooled: Callable[..., Tensor] = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(kernel) - 1]
        return pooled(F.pad(x, padding, value=-torch.inf), kernel, stride=strides, dilation=dilations)
    if any(extent != 1 for extent in dilations):
        raise NotImplementedError("average pooling with dilations")
    mean: Callable[..., Tensor] = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(kernel) - 1]
    answer = mean(F.pad(x, padding), kernel, stride=strides)
    if any(padding) and not attributes.get("count_include_pad", 0):
        answer = answer / mean(F.pad(torch.ones_like(x), padding), kernel, stride=strides)
    return answer


def _global_mean(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x: Tensor = inputs[0]
    return x.mean(tuple(range(2, x.dim())), keepdim=True)


def _batch_normalization(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, weight, bias, mean, variance = inputs[:5]
    return F.batch_norm(x, mean, variance, weight, bias, eps=attributes.get("epsilon", 1e-5))


def _layer_normalization(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, axis = inputs[0], attributes.get("axis", -1)
    return F.layer_norm(x, x.shape[axis:], inputs[1], _given(inputs, 2), eps=attributes.get("epsilon", 1e-5))


def _reduce(function: Callable[..., Tensor]) -> Operator:
    def reduced(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
        x, axes = inputs[0], _numbers(inputs, 1, attributes, "axes")
        if not axes:
            if attributes.get("noop_with_empty_axes", 0):
                return torch.as_tensor(x)
            axes = list(range(x.dim()))
        return function(x, dim=tuple(axes), keepdim=bool(attributes.get("keepdims", 1)))

    return reduced


def _gather(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, index, axis = inputs[0], inputs[1].long(), attributes.get("axis", 0)
    index = torch.where(index < 0, index + x.shape[axis], index)
    taken = torch.index_select(x, axis, index.reshape(-1))
    axis = axis % x.dim()
    return taken.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def _squeeze(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    axes = _numbers(inputs, 1, attributes, "axes")
    x: Tensor = inputs[0]
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _unsqueeze(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x: Tensor = inputs[0]
    axes = _numbers(inputs, 1, attributes, "axes") or []
    whole = x.dim() + len(axes)
    for axis in sorted(axis % whole for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _slice(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x: Tensor = inputs[0]
    starts, ends = _numbers(inputs, 1, attributes, "starts") or [], _numbers(inputs, 2, attributes, "ends") or []
    axes = _numbers(inputs, 3, attributes, "axes") or list(range(len(starts)))
    steps = _numbers(inputs, 4, attributes, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        whole = step < 0 and end < -x.shape[axis]  # the lowest number there is: down to the first
        chosen = list(range(x.shape[axis]))[slice(start, None if whole else end, step)]
        x = x.index_select(axis, torch.tensor(chosen, dtype=torch.long, device=x.device))
    return x


def _split(inputs: Sequence[Any], attributes: Attributes, opset: int) -> tuple[Tensor, ...]:
    x, axis = inputs[0], attributes.get("axis", 0)
    sizes = _numbers(inputs, 1, attributes, "split")
    if sizes is None:
        sizes = [-(-x.shape[axis] // attributes["num_outputs"])]
        return tuple(torch.split(x, sizes[0], dim=axis))
    return tuple(torch.split(x, sizes, dim=axis))


def _pad(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, pads = inputs[0], _numbers(inputs, 1, attributes, "pads") or []
    if attributes.get("mode", "constant") != "constant" or _given(inputs, 3) is not None:
        raise NotImplementedError("padding other than with a constant on all axes")
    value = _given(inputs, 2)
    pairs = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True))
    return F.pad(x, [extent for pair in reversed(pairs) for extent in pair], value=0.0 if value is None else float(value))


def _clip(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    low = _given(inputs, 1) if _given(inputs, 1) is not None else attributes.get("min")
    high = _given(inputs, 2) if _given(inputs, 2) is not None else attributes.get("max")
    return torch.as_tensor(inputs[0] if low is None and high is None else torch.clamp(inputs[0], low, high))


def _divide(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    whole = not inputs[0].is_floating_point()
    return torch.div(inputs[0], inputs[1], rounding_mode="trunc" if whole else None)


def _mean_of(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    return torch.as_tensor(sum(inputs) / len(inputs))


def _prelu(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    return torch.where(inputs[0] >= 0, inputs[0], inputs[0] * inputs[1])


def _identity(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    return torch.as_tensor(inputs[0])


def _pointwise(function: Callable[..., Tensor]) -> Operator:
    return lambda inputs, attributes, opset: function(*inputs)


OPERATORS: dict[str, Operator] = {
    "Add": _pointwise(torch.add),
    "AveragePool": lambda inputs, attributes, opset: _pool(inputs, attributes, largest=False),
    "BatchNormalization": _batch_normalization,
    "Cast": lambda inputs, attributes, opset: inputs[0].to(DTYPES[attributes["to"]]),
    "Clip": _clip,
    "Concat": lambda inputs, attributes, opset: torch.cat(list(inputs), dim=attributes["axis"]),
    "Conv": _conv,
    "Div": _divide,
    "Dropout": _identity,
    "Elu": lambda inputs, attributes, opset: F.elu(inputs[0], attributes.get("alpha", 1.0)),
    "Equal": _pointwise(torch.eq),
    "Erf": _pointwise(torch.erf),
    "Exp": _pointwise(torch.exp),
    "Expand": lambda inputs, attributes, opset: inputs[0] * torch.ones(inputs[1].tolist(), dtype=inputs[0].dtype),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": lambda inputs, attributes, opset: F.gelu(inputs[0], approximate=attributes.get("approximate", "none")),
    "Gemm": _gemm,
    "GlobalAveragePool": _global_mean,
    "Greater": _pointwise(torch.gt),
    "HardSigmoid": lambda inputs, attributes, opset: (
        attributes.get("alpha", 0.2) * inputs[0] + attributes.get("beta", 0.5)
    ).clamp(0, 1),
    "Identity": _identity,
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": lambda inputs, attributes, opset: F.leaky_relu(inputs[0], attributes.get("alpha", 0.01)),
    "Less": _pointwise(torch.lt),
    "Log": _pointwise(torch.log),
    "LogSoftmax": _log_softmax,
    "MatMul": _pointwise(torch.matmul),
    "Max": lambda inputs, attributes, opset: reduce(torch.maximum, inputs),
    "MaxPool": lambda inputs, attributes, opset: _pool(inputs, attributes, largest=True),
    "Mean": _mean_of,
    "Min": lambda inputs, attributes, opset: reduce(torch.minimum, inputs),
    "Mul": _pointwise(torch.mul),
    "Neg": _pointwise(torch.neg),
    "PRelu": _prelu,
    "Pad": _pad,
    "Pow": _pointwise(torch.pow),
    "Reciprocal": _pointwise(torch.reciprocal),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceSum": _reduce(torch.sum),
    "Relu": _pointwise(torch.relu),
    "Reshape": _reshape,
    "Shape": lambda inputs, attributes, opset: torch.tensor(inputs[0].shape[attributes.get("start", 0) : attributes.get("end")]),
    "Sigmoid": _pointwise(torch.sigmoid),
    "Slice": _slice,
    "Softmax": _softmax,
    "Softplus": _pointwise(F.softplus),
    "Split": _split,
    "Sqrt": _pointwise(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _pointwise(torch.sub),
    "Sum": lambda inputs, attributes, opset: torch.as_tensor(sum(inputs)),
    "Tanh": _pointwise(torch.tanh),
    "Transpose": lambda inputs, attributes, opset: inputs[0].permute(*attributes.get("perm", range(inputs[0].dim())[::-1])),
    "Unsqueeze": _unsqueeze,
    "Where": _pointwise(torch.where),
}  # fmt: skip
