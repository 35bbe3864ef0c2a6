"""Operations of a network that can be bounded: how each maps a box, and how it carries linear bounds back to its inputs.

An affine operation carries coefficients back exactly. A curve is enclosed between two lines for each element, and a
maximum between its surest element and a line (Zhang et al., 2018, arXiv:1811.00866).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.grad import conv1d_input, conv2d_input

from classifier.bounds import Box, layer_bounds

Shapes = tuple[tuple[int, ...], ...]


class Affine(ABC):
    """An operation that is affine in all its inputs at once."""

    #: Whether an element of the output may depend on several elements of the input, so that intervals lose what ties those.
    mixes: ClassVar[bool] = True

    @abstractmethod
    def bounds(self, *boxes: Box) -> Box:
        """Lowest and highest outputs where each input lies in its box ``(N, *S)``."""

    @abstractmethod
    def back(self, coefficients: Tensor, shapes: Shapes) -> tuple[tuple[Tensor, ...], Tensor]:
        """A linear function of the output, as one of the inputs.

        Args:
            coefficients: Of the output ``(M, *T)``.
            shapes: Shape of each input ``*S``.

        Returns:
            Coefficients of each input ``(M, *S)``, and what is added ``(M,)``.
        """


@dataclass(frozen=True)
class Weighted(Affine):
    """A linear layer or a convolution whose padding is zeros."""

    layer: nn.Linear | nn.Conv1d | nn.Conv2d

    def bounds(self, *boxes: Box) -> Box:
        return layer_bounds(self.layer, *boxes[0])

    def back(self, coefficients: Tensor, shapes: Shapes) -> tuple[tuple[Tensor, ...], Tensor]:
        layer, count = self.layer, len(coefficients)
        if isinstance(layer, nn.Linear):
            before, axis = coefficients @ layer.weight, -1
        else:
            before, axis = _turned(layer, coefficients, (count, *shapes[0])), 1
        if layer.bias is None:
            return (before,), coefficients.new_zeros(count)
        return (before,), coefficients.movedim(axis, -1).reshape(count, -1, len(layer.bias)).sum(1) @ layer.bias


@dataclass(frozen=True)
class Scaled(Affine):
    """Each element times a number of its own, plus another.

    Args:
        slope: What multiplies ``(1, *S)``.
        shift: What is added ``(1, *S)``.
    """

    mixes: ClassVar[bool] = False

    slope: Tensor
    shift: Tensor

    def bounds(self, *boxes: Box) -> Box:
        ends = [end * self.slope + self.shift for end in boxes[0]]
        return torch.minimum(*ends), torch.maximum(*ends)

    def back(self, coefficients: Tensor, shapes: Shapes) -> tuple[tuple[Tensor, ...], Tensor]:
        return (coefficients * self.slope,), coefficients.flatten(1) @ self.shift.flatten()


@dataclass(frozen=True)
class Sum(Affine):
    """The sum of two inputs of one shape, each with a sign."""

    signs: tuple[int, int]

    def bounds(self, *boxes: Box) -> Box:
        ends = [box if sign > 0 else (-box[1], -box[0]) for sign, box in zip(self.signs, boxes, strict=True)]
        return ends[0][0] + ends[1][0], ends[0][1] + ends[1][1]

    def back(self, coefficients: Tensor, shapes: Shapes) -> tuple[tuple[Tensor, ...], Tensor]:
        parts = tuple(coefficients if sign > 0 else -coefficients for sign in self.signs)
        return parts, coefficients.new_zeros(len(coefficients))


@dataclass(frozen=True)
class Gathered(Affine):
    """Elements taken, rearranged, added or averaged: linear, with no weight below 0.

    Args:
        function: From inputs ``(N, *S)`` to ``(N, *T)``.
    """

    function: Callable[..., Tensor]

    def bounds(self, *boxes: Box) -> Box:
        return self.function(*(box[0] for box in boxes)), self.function(*(box[1] for box in boxes))

    def back(self, coefficients: Tensor, shapes: Shapes) -> tuple[tuple[Tensor, ...], Tensor]:
        count = len(coefficients)
        with torch.enable_grad():
            anywhere = [coefficients.new_zeros(()).expand(count, *shape).requires_grad_() for shape in shapes]
            outputs = self.function(*anywhere)
        parts = torch.autograd.grad(outputs, anywhere, coefficients, create_graph=coefficients.requires_grad)
        return parts, coefficients.new_zeros(count)


@dataclass(frozen=True)
class Rearranged(Gathered):
    """Elements taken and rearranged, none added to another."""

    mixes: ClassVar[bool] = False


@dataclass(frozen=True)
class Curve:
    """An activation, element by element."""

    layer: nn.Module

    def bounds(self, *boxes: Box) -> Box:
        return layer_bounds(self.layer, *boxes[0])


@dataclass(frozen=True)
class Largest:
    """Maximum pooling."""

    layer: nn.MaxPool1d | nn.MaxPool2d

    def bounds(self, *boxes: Box) -> Box:
        return layer_bounds(self.layer, *boxes[0])


Operation = Affine | Curve | Largest


def _turned(layer: nn.Conv1d | nn.Conv2d, coefficients: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Coefficients of what a convolution takes, of those of what it gives."""
    turn = conv1d_input if isinstance(layer, nn.Conv1d) else conv2d_input
    padding = (0,) * len(layer.stride) if layer.padding == "valid" else layer.padding
    before: Tensor = turn(shape, layer.weight, coefficients, layer.stride, padding, layer.dilation, layer.groups)  # type: ignore[no-untyped-call]
    return before
