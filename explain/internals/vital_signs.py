"""Vital signs: activations, gradients and weights of every layer, added up over chunks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explain.internals.diagnosis import LayerHealth
from explain.internals.layers import first_tensor

# Where an activation function is called, in whatever way.
_FUNCTIONS: dict[Callable[..., Any], str] = {
    **dict.fromkeys((nn.functional.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, nn.functional.relu6), "ReLU"),
    **dict.fromkeys((nn.functional.sigmoid, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_), "sigmoid"),
    **dict.fromkeys((nn.functional.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_), "tanh"),
}
# Beyond these a slope is under 4 % of the steepest: sigmoid'(x) = s (1 - s) and tanh'(x) = 1 - t^2.
_FAR = {"sigmoid": 0.49, "tanh": 0.98}
_MOSTLY = 0.95


class _Sums:
    """What is added up of one layer or one activation function."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.count = self.rows = 0
        self.total = self.squares = self.gradient = 0.0
        self.alive: Tensor | None = None
        self.far: Tensor | None = None
        self.each = 0

    def add(self, value: Tensor) -> None:
        numbers = value.detach().double()
        self.count += numbers.numel()
        self.total += float(numbers.sum())
        self.squares += float(numbers.square().sum())

    def add_units(self, value: Tensor, axis: int) -> None:
        """Count, of each unit along an axis, where it is not 0 and where it is far out."""
        numbers = value.detach().movedim(axis, 0).flatten(1)
        alive = (numbers != 0).any(1)
        self.alive = alive if self.alive is None else self.alive | alive
        self.each += numbers.shape[1]
        if self.kind in _FAR:
            middle = 0.5 if self.kind == "sigmoid" else 0.0
            far = ((numbers - middle).abs() > _FAR[self.kind]).sum(1)
            self.far = far if self.far is None else self.far + far


class VitalSigns(TorchFunctionMode):
    """Watches a network whose weights have gradients.

    Args:
        module: The network.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        # By the layer, the activation function or nothing, and which use of it in a pass.
        self._sums: dict[tuple[str, str, int], _Sums] = {}
        self._uses: dict[tuple[str, str], int] = {}
        self._running: list[str] = []
        self._channels_first = False
        self._rows = 1

    @contextmanager
    def watching(self, rows: int) -> Iterator[None]:
        """Add up what one pass and its way back compute.

        Args:
            rows: Of how many rows the loss is the mean.
        """
        self._rows = rows
        handles = []
        try:
            for name, layer in self.module.named_modules():
                handles.append(layer.register_forward_pre_hook(lambda _layer, _given, name=name: self._running.append(name)))
                handles.append(layer.register_forward_hook(lambda found, _given, output, name=name: self._end(name, found, output)))
            with self:
                yield
        finally:
            self._running.clear()
            self._uses.clear()
            for handle in handles:
                handle.remove()

    def layers(self) -> tuple[LayerHealth, ...]:
        """What was added up, in the order in which it was first computed."""
        return tuple(self._health(key, sums) for key, sums in self._sums.items())

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = _FUNCTIONS.get(func)
        if kind is not None and isinstance(result, Tensor) and result.dim() > 1:
            name = self._running[-1] if self._running and self._running[-1] else "(network)"
            self._uses[name, kind] = use = self._uses.get((name, kind), 0) + 1
            sums = self._sums.setdefault((name, kind, use), _Sums(kind))
            sums.add(result)
            # Maps have their channels first, and vectors over steps or tokens last, unless a convolution made them.
            sums.add_units(result, 1 if result.dim() == 4 or (result.dim() == 3 and self._channels_first) else -1)
        return result

    def _end(self, name: str, layer: nn.Module, output: Any) -> None:
        self._running.pop()
        if isinstance(layer, nn.Linear | nn.LayerNorm | nn.Embedding | nn.RNNBase | nn.Conv1d | nn.BatchNorm1d):
            self._channels_first = isinstance(layer, nn.Conv1d | nn.BatchNorm1d)
        found = first_tensor(output)
        if not name or found is None or not found.is_floating_point() or next(layer.parameters(recurse=False), None) is None:
            return
        sums = self._sums.setdefault((name, "", 1), _Sums(type(layer).__name__))
        sums.add(found)
        if found.requires_grad:
            found.register_hook(lambda slope: self._back(sums, slope))  # type: ignore[no-untyped-call]  # torch leaves it so

    def _back(self, sums: _Sums, slope: Tensor) -> None:
        # The loss is a mean over all rows, and what is wanted is the gradient of each row's own.
        sums.gradient += float(slope.detach().double().flatten(1).norm(dim=1).sum()) * self._rows
        sums.rows += len(slope)

    def _health(self, key: tuple[str, str, int], sums: _Sums) -> LayerHealth:
        mean = sums.total / max(1, sums.count)
        name, function, use = key
        health: dict[str, Any] = {
            "name": f"{name}:{use}" if (name, function, 2) in self._sums else name,
            "kind": sums.kind,
            "mean": mean,
            "deviation": max(0.0, sums.squares / max(1, sums.count) - mean**2) ** 0.5,
        }
        if not function:
            weights = list(self.module.get_submodule(name).parameters(recurse=False))
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            # A layer through which nothing of the loss comes back has no gradient at all.
            return LayerHealth(
                **health,
                gradient=sums.gradient / max(1, sums.rows),
                weight=_norm([weight.detach() for weight in weights]),
                weight_gradient=_norm(gradients),
            )
        assert sums.alive is not None
        dead = int((~sums.alive).sum()) if sums.kind == "ReLU" else None
        saturated = None if sums.far is None else int((sums.far >= _MOSTLY * sums.each).sum())
        return LayerHealth(**health, units=len(sums.alive), dead=dead, saturated=saturated)


def _norm(tensors: list[Tensor]) -> float:
    return float(sum(float(tensor.double().square().sum()) for tensor in tensors)) ** 0.5
