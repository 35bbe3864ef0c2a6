"""Vital signs: activations, gradients and weights of every layer, added up over chunks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explain.internals.activation_functions import ActivationFunction, activation_function
from explain.internals.diagnosis import LayerHealth
from explain.internals.layers import own_weights, tensors_in

# A unit is saturated if so much of what it gives is.
_MOSTLY = 0.95


class _Sums:
    """What is added up of one layer or one activation function."""

    def __init__(self, kind: str, function: ActivationFunction | None = None) -> None:
        self.kind, self.function = kind, function
        self.count = self.rows = self.each = 0
        self.total = self.squares = self.gradient = 0.0
        self.apart: float | None = None
        self.alive: Tensor | None = None
        self.far: Tensor | None = None

    def add(self, value: Tensor) -> None:
        numbers = value.detach().double()
        self.count += numbers.numel()
        self.total += float(numbers.sum())
        self.squares += float(numbers.square().sum())

    def add_rows(self, value: Tensor) -> None:
        """Compare rows, which lie along the first axis."""
        self.apart = max(self.apart or 0.0, how_far_apart(value))

    def add_units(self, value: Tensor, axis: int) -> None:
        """Count, of each unit along an axis, where it is alive and where it is far out."""
        assert self.function is not None
        numbers = value.detach().movedim(axis, 0).flatten(1)
        self.each += numbers.shape[1]
        if self.function.dies:
            alive = self.function.alive(numbers).any(1)
            self.alive = alive if self.alive is None else self.alive | alive
        if self.function.far is not None:
            far = self.function.far(numbers).sum(1)
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
        self._rows = self._here = 1

    @contextmanager
    def watching(self, rows: int, here: int) -> Iterator[None]:
        """Add up what one pass and its way back compute.

        Args:
            rows: Of how many rows the loss is the mean.
            here: How many of them are in this pass.
        """
        self._rows, self._here = rows, here
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
        function = activation_function(func, args, kwargs or {})
        if function is not None and isinstance(result, Tensor) and result.dim() > 1:
            name = self._running[-1] if self._running and self._running[-1] else "(network)"
            self._uses[name, function.name] = use = self._uses.get((name, function.name), 0) + 1
            sums = self._sums.setdefault((name, function.name, use), _Sums(function.name, function))
            sums.add(result)
            # Maps have their channels first, and vectors over steps or tokens last, unless a convolution made them.
            sums.add_units(result, 1 if result.dim() == 4 or (result.dim() == 3 and self._channels_first) else -1)
        return result

    def _end(self, name: str, layer: nn.Module, output: Any) -> None:
        self._running.pop()
        if isinstance(layer, nn.Linear | nn.LayerNorm | nn.Embedding | nn.RNNBase | nn.Conv1d | nn.BatchNorm1d):
            self._channels_first = isinstance(layer, nn.Conv1d | nn.BatchNorm1d)
        given = list(tensors_in(output))
        if not name or not given or not given[0].is_floating_point() or not own_weights(layer):
            return
        sums = self._sums.setdefault((name, "", 1), _Sums(type(layer).__name__))
        sums.add(given[0])
        # A recurrent layer gives its states over time and the last ones; a network may go on from either.
        for place, tensor in enumerate(given if isinstance(layer, nn.RNNBase) else given[:1]):
            last = place > 0 or not getattr(layer, "batch_first", True)
            axis = 1 if isinstance(layer, nn.RNNBase) and tensor.dim() == 3 and last else 0
            if place == 0 and tensor.shape[axis] == self._here > 1:
                sums.add_rows(tensor.movedim(axis, 0))
            if tensor.requires_grad:
                tensor.register_hook(lambda slope, axis=axis: self._back(sums, slope, axis))  # type: ignore[no-untyped-call]  # torch leaves it so

    def _back(self, sums: _Sums, slope: Tensor | None, axis: int) -> None:
        # Of several things that a recurrent layer gives, those that nothing goes on from have no gradient.
        if slope is None:
            return
        slope = slope.movedim(axis, 0)
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
            weights = own_weights(self.module.get_submodule(name))
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            # A layer through which nothing of the loss comes back has no gradient at all.
            return LayerHealth(
                **health,
                gradient=sums.gradient / max(1, sums.rows),
                weight=_norm([weight.detach() for weight in weights]),
                weight_gradient=_norm(gradients),
                apart=sums.apart,
            )
        alive, far = sums.alive, sums.far
        units = next((len(counted) for counted in (alive, far) if counted is not None), None)
        return LayerHealth(
            **health,
            units=units,
            dead=None if alive is None else int((~alive).sum()),
            saturated=None if far is None else int((far >= _MOSTLY * sums.each).sum()),
            saturation=None if far is None or not units else float(far.sum()) / (units * sums.each),
        )


def how_far_apart(values: Tensor) -> float:
    """The standard deviation over the rows ``(N, ...)`` as a share of the size of the values, both as root mean squares."""
    numbers = values.detach().double().flatten(1)
    size = float(numbers.square().mean())
    return float((numbers - numbers.mean(0)).square().mean() / size) ** 0.5 if size else 0.0


def _norm(tensors: list[Tensor]) -> float:
    return float(sum(float(tensor.double().square().sum()) for tensor in tensors)) ** 0.5
