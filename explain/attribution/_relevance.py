"""Relevance: hooks under which the gradient at a network's inputs is the relevance for each unit of an input."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from classifier.architectures._layers import Standardize
from classifier.architectures._observed import StandardizeObserved
from explain.attribution._rules import LINEAR

#: Layers that bend each number by itself and leave 0 where it is: relevance passes through them as it is.
BENDING: frozenset[type[nn.Module]] = frozenset({
    nn.Tanh, nn.GELU, nn.SiLU, nn.Mish, nn.ELU, nn.SELU, nn.CELU, nn.Hardswish, nn.ReLU6, nn.Softsign, nn.Softshrink, nn.Hardshrink,
    nn.Tanhshrink,
})  # fmt: skip
#: Layers that divide by a deviation of their own input: it counts as a constant (Ali et al., 2022, arXiv:2202.07304, section 3.2).
NORMALISING: frozenset[type[nn.Module]] = frozenset({nn.LayerNorm, nn.GroupNorm})
# Below this, the ratio of what comes out of a bend to what goes in is rounding; the slope at 0 stands for it.
_NOTHING = 1e-12


class RelevanceRules:
    """While it is entered, the backward pass of a network hands down relevance.

    Of every unit, what comes in by each of its inputs is taken in proportion to its part of the unit's value ``z``,
    and what comes in by the unit's bias is kept. So is what `epsilon` takes of it, ``epsilon / (|z| + epsilon)``.

    Args:
        network: What is hooked; its layers do not overwrite their inputs.
        points: The inputs of the pass ``(N, *S)``, which require a gradient.
        epsilon: Added to the size of each unit.
    """

    def __init__(self, network: nn.Module, points: Tensor, epsilon: float) -> None:
        self.origin = torch.zeros_like(points)
        self.kept = torch.zeros(len(points), dtype=points.dtype, device=points.device)
        self._network, self._points, self._epsilon = network, points, epsilon
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> RelevanceRules:
        for layer in self._network.modules():
            if isinstance(layer, Standardize):
                self._handles.append(layer.register_forward_hook(self._standardize))
            elif type(layer) in LINEAR:
                self._handles.append(layer.register_forward_hook(self._linear))
            elif type(layer) in BENDING:
                self._handles.append(layer.register_forward_hook(self._bend))
            elif type(layer) in NORMALISING:
                self._handles.append(layer.register_forward_hook(self._normalise))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _standardize(self, layer: Standardize, given: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if given[0] is not self._points:
            return self._linear(layer, given, output)
        # Relevance passes unchanged: it is the standardised number that the network weighs.
        if isinstance(layer, StandardizeObserved):
            self.origin[..., layer.columns] = layer.mean
            if layer.flag is not None:
                # Whether a step was observed is no number that adds to anything, and gets none.
                self.origin[..., layer.flag] = self._points.detach()[..., layer.flag]
        else:
            self.origin[:] = layer.mean
        return None

    def _linear(self, layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        with torch.no_grad():
            bias = layer.forward(torch.zeros_like(given[0][:1]))
        return self._passed(output, bias)

    def _normalise(self, layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x = given[0]
        weight, bias = layer.weight, layer.bias
        assert isinstance(weight, Tensor | None)
        assert isinstance(bias, Tensor | None)
        if isinstance(layer, nn.GroupNorm):
            parts = x.reshape(len(x), layer.num_groups, -1)
            weight, bias = (None if values is None else values.reshape(-1, *(1,) * (x.dim() - 2)) for values in (weight, bias))
        else:
            assert isinstance(layer, nn.LayerNorm)
            parts = x.flatten(-len(layer.normalized_shape))
        centred = parts - parts.mean(-1, keepdim=True)
        # The deviation counts as a constant.
        scale = (centred.square().mean(-1, keepdim=True) + layer.eps).rsqrt().detach()
        normal = (centred * scale).reshape(x.shape)
        normal = normal if weight is None else normal * weight
        bias = torch.zeros((), dtype=x.dtype, device=x.device) if bias is None else bias.detach()
        return self._passed(normal + bias, bias)

    def _bend(self, _layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        z = given[0]
        near = z.detach().abs() < _NOTHING
        ratio = (output / torch.where(near, torch.ones_like(z), z)).detach()
        return torch.where(near, output, z * ratio)

    def _passed(self, z: Tensor, bias: Tensor) -> Tensor:
        """The same units, whose gradient is what they hand on; the rest of their relevance is counted as kept."""
        value = z.detach()
        share = value.abs() / (value.abs() + self._epsilon) if self._epsilon else torch.ones_like(value)
        passed = z * share + value * (1 - share)
        if passed.requires_grad:

            def keep(slope: Tensor) -> None:
                # Rows may have been folded with steps or positions; they come first.
                self.kept += (slope * (value * (1 - share) + bias * share)).reshape(len(self.kept), -1).sum(1)

            passed.register_hook(keep)  # type: ignore[no-untyped-call]
        return passed
