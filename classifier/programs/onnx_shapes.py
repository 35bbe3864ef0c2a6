"""ONNX operators that move numbers, or make arrays of a shape, as functions of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # its usual name

from classifier.programs.onnx_inputs import Attributes, Operator, given, numbers, pointwise

# Numbers of onnx.TensorProto.DataType.
DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip


def _cast(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    if attributes["to"] not in DTYPES:
        raise NotImplementedError(f"a cast to the type {attributes['to']}")
    return torch.as_tensor(inputs[0]).to(DTYPES[attributes["to"]])


def _flatten(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, axis = inputs[0], attributes.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    rows = 1
    for extent in x.shape[:axis]:
        rows *= extent
    return torch.as_tensor(x).reshape(rows, -1)


def _reshape(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, shape = inputs[0], numbers(inputs, 1, attributes, "shape") or []
    if not attributes.get("allowzero", 0):
        shape = [x.shape[axis] if extent == 0 else extent for axis, extent in enumerate(shape)]
    return torch.as_tensor(x).reshape(shape)


def _gather(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, index, axis = inputs[0], inputs[1].long(), attributes.get("axis", 0)
    index = torch.where(index < 0, index + x.shape[axis], index)
    taken = torch.index_select(x, axis, index.reshape(-1))
    axis = axis % x.dim()
    return taken.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _gather_elements(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, index, axis = inputs[0], inputs[1].long(), attributes.get("axis", 0)
    return torch.gather(x, axis, torch.where(index < 0, index + x.shape[axis], index))


def _squeeze(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    axes = numbers(inputs, 1, attributes, "axes")
    x: Tensor = inputs[0]
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _unsqueeze(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x: Tensor = inputs[0]
    axes = numbers(inputs, 1, attributes, "axes") or []
    whole = x.dim() + len(axes)
    for axis in sorted(axis % whole for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _slice(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x: Tensor = inputs[0]
    starts, ends = numbers(inputs, 1, attributes, "starts") or [], numbers(inputs, 2, attributes, "ends") or []
    axes = numbers(inputs, 3, attributes, "axes") or list(range(len(starts)))
    steps = numbers(inputs, 4, attributes, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        whole = step < 0 and end < -x.shape[axis]  # the lowest number there is: down to the first
        chosen = list(range(x.shape[axis]))[slice(start, None if whole else end, step)]
        x = x.index_select(axis, torch.tensor(chosen, dtype=torch.long, device=x.device))
    return x


def _split(inputs: Sequence[Any], attributes: Attributes, opset: int) -> tuple[Tensor, ...]:
    x, axis = inputs[0], attributes.get("axis", 0)
    sizes = numbers(inputs, 1, attributes, "split")
    if sizes is None:
        # Equal parts; `read_graph` counts the outputs where the operator does not state how many.
        return tuple(torch.split(x, -(-x.shape[axis] // attributes["num_outputs"]), dim=axis))
    return tuple(torch.split(x, sizes, dim=axis))


def _pad(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x, pads = inputs[0], numbers(inputs, 1, attributes, "pads") or []
    if attributes.get("mode", "constant") != "constant" or given(inputs, 3) is not None:
        raise NotImplementedError("padding other than with a constant on all axes")
    value = given(inputs, 2)
    pairs = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True))
    return F.pad(x, [extent for pair in reversed(pairs) for extent in pair], value=0.0 if value is None else float(value))


def _expand(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x: Tensor = inputs[0]
    shape = inputs[1].tolist()
    # One in the file's shape leaves an axis as long as it is, and `x` may have more axes.
    own = [1] * (len(shape) - x.dim()) + list(x.shape)
    shape = [1] * (len(own) - len(shape)) + shape
    return x.expand([have if extent == 1 else extent for have, extent in zip(own, shape, strict=True)])


def _shape(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x: Tensor = inputs[0]
    return torch.tensor(x.shape[attributes.get("start", 0) : attributes.get("end")], device=x.device)


def _constant_of_shape(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    value = attributes.get("value", torch.zeros(1))
    return torch.full(inputs[0].tolist(), value.item(), dtype=value.dtype, device=inputs[0].device)


def _range(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    start, limit, step = (entry.item() for entry in inputs)
    return torch.arange(start, limit, step, dtype=inputs[0].dtype, device=inputs[0].device)


def _one_hot(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    index, depth, axis = inputs[0].long(), int(inputs[1].item()), attributes.get("axis", -1)
    axis = axis if axis >= 0 else axis + index.dim() + 1
    index = torch.where(index < 0, index + depth, index).unsqueeze(axis)
    places = torch.arange(depth, device=index.device).reshape([-1 if other == axis else 1 for other in range(index.dim())])
    off, on = inputs[2]
    return torch.where(index == places, on, off)


def _triangle(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    function: Callable[..., Tensor] = torch.triu if attributes.get("upper", 1) else torch.tril
    offset = given(inputs, 1)
    return function(inputs[0], 0 if offset is None else int(offset.item()))


def _transpose(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    x: Tensor = inputs[0]
    return x.permute(*attributes.get("perm", range(x.dim())[::-1]))


def _identity(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    return torch.as_tensor(inputs[0])


def _dropout(inputs: Sequence[Any], attributes: Attributes, opset: int) -> Tensor:
    training = given(inputs, 2)
    if training is not None and bool(training):
        raise NotImplementedError("dropout in training mode")
    return torch.as_tensor(inputs[0])


SHAPES: dict[str, Operator] = {
    "Cast": _cast,
    "Concat": lambda inputs, attributes, opset: torch.cat(list(inputs), dim=attributes["axis"]),
    "ConstantOfShape": _constant_of_shape,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Identity": _identity,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Trilu": _triangle,
    "Unsqueeze": _unsqueeze,
    "Where": pointwise(torch.where),
}
