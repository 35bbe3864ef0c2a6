"""How operators of ONNX are written as functions of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

Attributes = Mapping[str, Any]
#: From the inputs (``None`` where one is left out), the attributes and the version of the operators, to the output.
Operator = Callable[[Sequence[Any], Attributes, int], Tensor | tuple[Tensor, ...]]


def given(inputs: Sequence[Any], index: int) -> Any:
    """An input that may be left out."""
    return inputs[index] if len(inputs) > index else None


def numbers(inputs: Sequence[Any], index: int, attributes: Attributes, name: str) -> list[int] | None:
    """Whole numbers that older versions have as an attribute, newer ones as an input."""
    stated = given(inputs, index)
    if stated is not None:
        listed: list[int] = stated.reshape(-1).tolist()
        return listed
    return list(attributes[name]) if name in attributes else None


def pointwise(function: Callable[..., Tensor]) -> Operator:
    """An operator that is a function of its inputs alone."""
    return lambda inputs, attributes, opset: function(*inputs)
