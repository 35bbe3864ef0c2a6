"""ONNX operators that are layers of a network, as functions of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # its usual name

from classifier.programs.onnx_inputs import Attributes, Operator, given, pointwise


def _gemm(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    a = inputs[0].mT if attributes.get("transA", 0) else inputs[0]
    b = inputs[1].mT if attributes.get("transB", 0) else inputs[1]
    answer: Tensor = attributes.get("alpha", 1.0) * (a @ b)
    bias = given(inputs, 2)
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
    return function(x, weight, given(inputs, 2), stride=strides, dilation=dilations, groups=attributes.get("group", 1))


def _conv_transpose(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, weight = inputs[0], inputs[1]
    axes = weight.dim() - 2
    if attributes.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in attributes:
        raise NotImplementedError("a transposed convolution that computes its padding")
    function: Callable[..., Tensor] = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]
    answer = function(
        x, weight, given(inputs, 2), stride=list(attributes.get("strides", [1] * axes)),
        output_padding=list(attributes.get("output_padding", [0] * axes)), groups=attributes.get("group", 1),
        dilation=list(attributes.get("dilations", [1] * axes)),
    )  # fmt: skip
    pads = attributes.get("pads", [0] * 2 * axes)
    for axis, (before, after) in enumerate(zip(pads[:axes], pads[axes:], strict=True), start=2):
        answer = answer.narrow(axis, before, answer.shape[axis] - before - after)
    return answer


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


def _over_space(function: Callable[..., Tensor]) -> Operator:
    def pooled(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
        return function(inputs[0], dim=tuple(range(2, inputs[0].dim())), keepdim=True)

    return pooled


def _batch_normalization(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    if attributes.get("training_mode", 0):
        raise NotImplementedError("batch normalisation in training mode")
    x, weight, bias, mean, variance = inputs[:5]
    return F.batch_norm(x, mean, variance, weight, bias, eps=attributes.get("epsilon", 1e-5))


def _layer_normalization(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, axis = inputs[0], attributes.get("axis", -1)
    return F.layer_norm(x, x.shape[axis:], inputs[1], given(inputs, 2), eps=attributes.get("epsilon", 1e-5))


def _instance_normalization(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, weight, bias = inputs[:3]
    # As groups of one channel: torch refuses an instance of one element.
    return F.group_norm(x, x.shape[1], weight, bias, eps=attributes.get("epsilon", 1e-5))


def _group_normalization(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, weight, bias = inputs[:3]
    groups = attributes["num_groups"]
    if opset < 21:  # a scale for each group, later for each channel
        weight, bias = (entry.repeat_interleave(x.shape[1] // groups) for entry in (weight, bias))
    return F.group_norm(x, groups, weight, bias, eps=attributes.get("epsilon", 1e-5))


LAYERS: dict[str, Operator] = {
    "AveragePool": lambda inputs, attributes, opset: _pool(inputs, attributes, largest=False),
    "BatchNormalization": _batch_normalization,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Einsum": lambda inputs, attributes, opset: torch.einsum(attributes["equation"], *inputs),
    "Gemm": _gemm,
    "GlobalAveragePool": _over_space(torch.mean),
    "GlobalMaxPool": _over_space(torch.amax),
    "GroupNormalization": _group_normalization,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "LogSoftmax": _log_softmax,
    "MatMul": pointwise(torch.matmul),
    "MaxPool": lambda inputs, attributes, opset: _pool(inputs, attributes, largest=True),
    "Softmax": _softmax,
}
