"""Products of gradients of single rows: by their factors where there are only linear layers, else by the gradients themselves.

The gradient of a linear layer is the outer product of what goes into it and the slope at its output, so that the product of two is
a product of two numbers (Goodfellow, 2015, arXiv:1510.01799). No gradient is ever as long as the weights are many.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from explain.training_data.gradients import RowGradients, Value

# What goes into a layer's weights ``(n, D)`` and the slopes at its output ``(n, O)``, for each set of weights.
Factors = list[tuple[Tensor, Tensor]]


class RowProducts:
    """Gradients of a number by the weights, kept so that their products are cheap.

    Args:
        classifier: Whose weights.
        layers: Names of the layers whose weights count; all where there are none.
    """

    def __init__(self, classifier: Classifier, layers: tuple[str, ...] = ()) -> None:
        self.gradients = RowGradients(classifier, layers)
        assert classifier.module is not None  # RowGradients has looked
        self._module, self._classifier = classifier.module, classifier
        self._linear = _linear_alone(self._module, self.gradients.names)

    @property
    def chunk(self) -> int:
        """How many rows go at once."""
        return 4096 if self._linear else self.gradients.chunk

    @property
    def width(self) -> int:
        """About how many numbers are kept for a row."""
        parts = sum(layer.in_features + layer.out_features for layer in self._linear.values())
        return parts if self._linear else self.gradients.size

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of how they were taken."""
        return self.gradients.notes

    def __call__(self, value: Value, x: Tensor, about: Tensor) -> Factors:
        """The gradients of ``value(logits, about)`` for each of n inputs, as factors; see `RowGradients`."""
        if self._linear:
            if (found := self._factored(value, x, about)) is not None:
                return found
            # A layer that is used twice, or along an axis of steps: its gradient is a sum of such products.
            self._linear = {}
        whole = self.gradients.all(value, x, about)
        return [(whole, whole.new_ones(len(whole), 1))]

    def _factored(self, value: Value, x: Tensor, about: Tensor) -> Factors | None:
        given: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in self._linear}

        def keep(name: str, before: Tensor, answer: Tensor) -> Tensor:
            # The slope by something added to the output is the slope at the output.
            added = torch.zeros_like(answer, requires_grad=True)
            given[name].append((before.detach(), added))
            return answer + added

        hooks = [
            layer.register_forward_hook(lambda _, before, answer, name=name: keep(name, before[0], answer))
            for name, layer in self._linear.items()
        ]
        try:
            with torch.enable_grad():
                numbers = value(self._classifier.logits_of(self._module(x)), about)
        finally:
            for hook in hooks:
                hook.remove()
        if any(len(calls) != 1 or calls[0][0].dim() != 2 or len(calls[0][0]) != len(x) for calls in given.values()):
            return None
        slopes = torch.autograd.grad(numbers.sum(), [calls[0][1] for calls in given.values()])
        factors: Factors = []
        for (name, ((before, _),)), slope in zip(given.items(), slopes, strict=True):
            names = self.gradients.names
            if f"{name}.weight".lstrip(".") in names:
                factors.append((before, slope))
            if f"{name}.bias".lstrip(".") in names:
                factors.append((before.new_ones(len(before), 1), slope))
        return factors


def products(one: Factors, other: Factors) -> Tensor:
    """The product of each gradient of one with each of the other ``(n, m)``."""
    return torch.stack([(a @ b.T) * (slope @ tilt.T) for (a, slope), (b, tilt) in zip(one, other, strict=True)]).sum(0)


def squares(factors: Factors) -> Tensor:
    """The squared length of each gradient ``(n,)``."""
    return torch.stack([a.square().sum(1) * slope.square().sum(1) for a, slope in factors]).sum(0)


def _linear_alone(module: nn.Module, names: frozenset[str]) -> dict[str, nn.Linear]:
    """The linear layers that have all of the weights, or nothing where others have some."""
    layers = {name: layer for name, layer in module.named_modules() if type(layer) is nn.Linear}
    own = {f"{name}.{part}".lstrip("."): name for name in layers for part in ("weight", "bias")}
    if not names <= own.keys():
        return {}
    return {name: layers[name] for name in layers if any(own[weight] == name for weight in names)}
