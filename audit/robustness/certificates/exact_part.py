"""One affine layer of a network: what it computes, and how large the numbers are that it adds up to that."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn

from classifier.architectures._layers import Standardize

_ELEMENTWISE = (Standardize, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_TURNED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Part:
    """An affine layer, in double precision.

    Args:
        layer: From ``(N, *S)`` to ``(N, *T)``.
        sizes: The same with the sizes of its weights, and of what it adds.
        shape: Shape of one input ``*S``.
        terms: How many numbers each of its sums has at most.
    """

    layer: nn.Module
    sizes: nn.Module
    shape: tuple[int, ...]
    terms: int

    @classmethod
    def of(cls, layer: nn.Module, shape: tuple[int, ...]) -> Part:
        """A layer that takes inputs of some shape ``*S``."""
        layer = copy.deepcopy(layer).cpu().double().eval().requires_grad_(False)
        sizes = copy.deepcopy(layer)
        for name, tensor in (*sizes.named_parameters(), *sizes.named_buffers()):
            if name in ("mean", "running_mean"):
                # What is taken off an input comes on top of its size.
                tensor.copy_(-tensor.abs())
            elif name in ("weight", "bias"):
                tensor.abs_()
        return cls(layer, sizes, shape, _terms(layer, shape))

    def through(self, x: Tensor) -> Tensor:
        """Outputs of flat inputs ``(N, D)``, flat."""
        y: Tensor = self.layer(x.reshape(len(x), *self.shape)).flatten(1)
        return y

    def added_up(self, size: Tensor) -> Tensor:
        """How large what is added up is, of flat inputs of some size ``(N, D)``, without regard to sign, flat."""
        y: Tensor = self.sizes(size.reshape(len(size), *self.shape)).flatten(1)
        return y


def _terms(layer: nn.Module, shape: tuple[int, ...]) -> int:
    if isinstance(layer, _ELEMENTWISE):
        return 1
    weight = getattr(layer, "weight", None)
    if isinstance(weight, Tensor):
        return weight.numel() if isinstance(layer, _TURNED) else prod(weight.shape[1:])
    # An average of one channel, at most.
    return prod(shape[1:])
