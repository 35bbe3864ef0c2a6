"""Reads the operations off a symbolic trace, while it computes what depends on the shapes of batches."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from audit.robustness.certificates.layers import POOLS, operation_of, scaled
from audit.robustness.certificates.network import Network, Step
from audit.robustness.certificates.operations import Gathered, Operation, Rearranged, Scaled, Sum, Weighted
from audit.robustness.certificates.refusal import not_certifiable

_LAYERS: dict[Any, type[nn.Module]] = {
    **dict.fromkeys((torch.relu, functional.relu, "relu", torch.relu_, "relu_"), nn.ReLU),
    **dict.fromkeys((torch.tanh, functional.tanh, "tanh"), nn.Tanh),
    **dict.fromkeys((torch.sigmoid, functional.sigmoid, "sigmoid"), nn.Sigmoid),
    functional.leaky_relu: nn.LeakyReLU,
    functional.gelu: nn.GELU,
    functional.avg_pool1d: nn.AvgPool1d,
    functional.avg_pool2d: nn.AvgPool2d,
    functional.adaptive_avg_pool1d: nn.AdaptiveAvgPool1d,
    functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    functional.max_pool1d: nn.MaxPool1d,
    functional.max_pool2d: nn.MaxPool2d,
}
_OF_SHAPE = ("size", "dim", "numel", "ndimension")
# What keeps the elements of a row in their order.
_RESHAPES = frozenset(
    (torch.flatten, "flatten", torch.reshape, "reshape", "view", torch.squeeze, "squeeze", torch.unsqueeze, "unsqueeze", "contiguous")
)
_REARRANGES = frozenset((torch.permute, "permute", torch.transpose, "transpose", torch.movedim, "movedim", operator.getitem, torch.cat))
_ADDS_UP = frozenset((torch.mean, "mean", torch.sum, "sum"))
_ADD = frozenset((operator.add, torch.add, "add", operator.iadd, "add_"))
_SUBTRACT = frozenset((operator.sub, torch.sub, "sub", operator.isub, "sub_"))
_MULTIPLY = frozenset((operator.mul, torch.mul, "mul", operator.imul, "mul_"))
_DIVIDE = frozenset((operator.truediv, torch.div, "div", operator.itruediv, "div_"))
_NEGATE = frozenset((operator.neg, torch.neg, "neg"))
_IN_PLACE = frozenset(
    (torch.relu_, "relu_", operator.iadd, "add_", operator.isub, "sub_", operator.imul, "mul_", operator.itruediv, "div_")
)
_ARITHMETIC: tuple[tuple[frozenset[Any], Callable[[Any, Any], Tensor]], ...] = (
    (_ADD, operator.add),
    (_SUBTRACT, operator.sub),
    (_MULTIPLY, operator.mul),
    (_DIVIDE, operator.truediv),
)
# Batches that each shape is tried with: what depends on the number of rows shows.
_ROWS = (2, 3)


class Reader:
    """Reads operations off a graph, while it computes with batches of two sizes what depends on them."""

    def __init__(self, body: nn.Module, shape: tuple[int, ...]) -> None:
        self.body = body
        self.shape = shape
        self.steps: list[Step] = []
        self.place: dict[fx.Node, int] = {}  # the step of each node that depends on the input
        self.values: tuple[dict[fx.Node, Any], ...] = tuple({} for _ in _ROWS)

    def network(self, graph: fx.Graph) -> Network:
        runs = [fx.Interpreter(fx.GraphModule(self.body, graph)) for _ in _ROWS]
        tensor = next(self.body.parameters(), next(self.body.buffers(), torch.zeros(())))
        for node in graph.nodes:
            if node.op == "placeholder" and node.args:
                continue
            if node.op == "output":
                return self._finished(node)
            for run, values, rows in zip(runs, self.values, _ROWS, strict=True):
                if node.op == "placeholder":
                    values[node] = torch.zeros(rows, *self.shape, dtype=torch.float64, device=tensor.device)
                    continue
                run.env = values
                try:
                    values[node] = run.run_node(node)
                except Exception as error:  # what an operation of a user's own raises at zeros
                    raise not_certifiable(f"{_called(node)} fails ({error})", _where(node)) from error
                if isinstance(values[node], Tensor) and values[node].is_floating_point():
                    values[node] = values[node].double()
            self._read(node)
        raise not_certifiable("there is no output")

    def _finished(self, node: fx.Node) -> Network:
        answer = node.args[0]
        if not isinstance(answer, fx.Node) or answer not in self.place:
            raise not_certifiable("the outputs do not depend on the inputs")
        if self.place[answer] != len(self.steps) - 1:
            # The last step is the output; what comes after it in the graph is never used.
            self.steps = self.steps[: self.place[answer] + 1]
        return Network(tuple(self.steps))

    def _read(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self._add(node, None, ())
            return
        moving = [source for source in _sources(node) if source in self.place]
        if not moving or self._is_of_shape(node):
            return
        if not isinstance(node.args[0] if node.args else None, fx.Node | list | tuple | int | float):
            raise not_certifiable(_called(node), _where(node))
        self._require_alone(node)
        operation, sources = self._operation(node, moving)
        for values, rows in zip(self.values, _ROWS, strict=True):
            if not isinstance(values[node], Tensor) or values[node].shape[:1] != (rows,):
                raise not_certifiable(f"{_called(node)}, which does not keep the rows apart,", _where(node))
        self._add(node, operation, tuple(self.place[source] for source in sources))

    def _add(self, node: fx.Node, operation: Operation | None, sources: tuple[int, ...]) -> None:
        self.place[node] = len(self.steps)
        self.steps.append(Step(operation, sources, tuple(self.values[0][node].shape[1:])))

    @staticmethod
    def _is_of_shape(node: fx.Node) -> bool:
        """Whether it tells only what the shape is, and nothing of the values."""
        if node.op == "call_method":
            return node.target in _OF_SHAPE
        return node.op == "call_function" and node.target is getattr and node.args[1] in ("shape", "ndim", "device", "dtype")

    def _require_alone(self, node: fx.Node) -> None:
        """Refuse an operation that writes over what something else takes too."""
        writes = node.target in _IN_PLACE or node.kwargs.get("inplace") is True
        if node.op == "call_module":
            writes = getattr(self.body.get_submodule(str(node.target)), "inplace", False)
        elif node.op == "call_function" and node.target in (functional.relu, functional.leaky_relu):
            writes = writes or True in node.args
        source = node.args[0]
        if writes and isinstance(source, fx.Node) and source not in self.place:
            raise not_certifiable(f"{_called(node)}, which writes over a constant,", _where(node))
        while writes and isinstance(source, fx.Node) and source in self.place:
            operation = self.steps[self.place[source]].operation
            if operation is None or sum(not self._is_of_shape(user) for user in source.users) > 1:
                raise not_certifiable(f"{_called(node)}, which writes over its input,", _where(node))
            # What is rearranged may share its memory with what it was made of.
            source = source.args[0] if isinstance(operation, Rearranged) else None

    def _operation(self, node: fx.Node, moving: list[fx.Node]) -> tuple[Operation, list[fx.Node]]:
        if node.op == "call_module":
            return self._of_layer(self.body.get_submodule(str(node.target)), node), moving
        target = node.target
        if len(moving) == 1 and moving[0] is node.args[0]:
            if target in _LAYERS:
                return self._of_layer(_as_layer(node), node), moving
            if target is functional.dropout and (node.kwargs.get("training") is False or node.args[2:3] == (False,)):
                return Rearranged(_same), moving
            if target in _RESHAPES:
                return Rearranged(_reshape_to(tuple(self.values[0][node].shape[1:]))), moving
            if target is functional.linear:
                return self._linear(node), moving
            if target in _NEGATE:
                return self._scaled(node, moving[0], lambda x: -x), moving
        if target in _REARRANGES or target in _ADDS_UP:
            return self._replayed(node, moving)
        if target in _ADD | _SUBTRACT | _MULTIPLY | _DIVIDE and len(node.args) == 2 and not node.kwargs:
            return self._arithmetic(node)
        raise not_certifiable(_called(node), _where(node))

    def _of_layer(self, layer: nn.Module, node: fx.Node) -> Operation:
        taken = _sources(node)[0]
        return operation_of(layer, tuple(self.values[0][taken].shape[1:]), _where(node))

    def _scaled(self, node: fx.Node, source: Any, function: Callable[[Tensor], Tensor]) -> Scaled:
        if self.values[0][node].shape != self.values[0][source].shape:
            raise not_certifiable(f"{_called(node)}, which repeats its input,", _where(node))
        return scaled(function, torch.zeros_like(self.values[0][source][:1]))

    def _constant(self, argument: Any, node: fx.Node) -> Any:
        """What an argument is that does not depend on the input, nor on the number of rows."""
        first, second = (fx.node.map_arg(argument, values.__getitem__) for values in self.values)
        same = torch.equal(first, second) if isinstance(first, Tensor) and isinstance(second, Tensor) else _plain(first) == _plain(second)
        if not same:
            raise not_certifiable(f"{_called(node)}, by what depends on the number of rows,", _where(node))
        return first

    def _arithmetic(self, node: fx.Node) -> tuple[Operation, list[fx.Node]]:
        left: Any = node.args[0]
        right: Any = node.args[1]
        target = node.target
        ends = [end in self.place if isinstance(end, fx.Node) else False for end in (left, right)]
        if all(ends) and target in _ADD | _SUBTRACT:
            shapes = {self.values[0][end].shape for end in (left, right)}
            if len(shapes) > 1:
                raise not_certifiable(f"{_called(node)} of different shapes", _where(node))
            return Sum((1, 1 if target in _ADD else -1)), [left, right]
        if all(ends) or (target in _DIVIDE and ends[1]):
            raise not_certifiable(f"{_called(node)} by what depends on the input", _where(node))
        source, other = (left, self._constant(right, node)) if ends[0] else (right, self._constant(left, node))
        if isinstance(other, Tensor):
            other = other.double()
        if not bool(torch.as_tensor(other).isfinite().all()) or (target in _DIVIDE and not bool(torch.as_tensor(other).all())):
            raise not_certifiable(f"{_called(node)} with a number that makes the outputs infinite", _where(node))
        apply = next(apply for names, apply in _ARITHMETIC if target in names)

        def function(x: Tensor) -> Tensor:
            return apply(x, other) if ends[0] else apply(other, x)

        return self._scaled(node, source, function), [source]

    def _linear(self, node: fx.Node) -> Weighted:
        weight, *rest = (self._constant(argument, node) for argument in (*node.args[1:], *node.kwargs.values()))
        bias = rest[0] if rest else None
        if not isinstance(weight, Tensor) or weight.dim() != 2 or set(node.kwargs) - {"bias"}:
            raise not_certifiable(_called(node), _where(node))
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=torch.float64, device=weight.device)
        layer.weight.data = weight
        if bias is not None:
            layer.bias.data = bias
        return Weighted(layer.requires_grad_(False))

    def _replayed(self, node: fx.Node, moving: list[fx.Node]) -> tuple[Operation, list[fx.Node]]:
        target: Any = node.target
        first, *rest = node.args
        inputs: list[Any] = list(first) if isinstance(first, list | tuple) else [first]
        if inputs != moving:
            raise not_certifiable(_called(node), _where(node))
        arguments = [self._constant(argument, node) for argument in rest]
        options = {name: self._constant(argument, node) for name, argument in node.kwargs.items()}

        def function(*values: Tensor) -> Tensor:
            given = list(values) if isinstance(first, list | tuple) else values[0]
            called = partial(getattr(given, target)) if isinstance(target, str) else partial(target, given)
            result: Tensor = called(*arguments, **options)
            return result

        return (Gathered if target in _ADDS_UP else Rearranged)(function), inputs


def _same(x: Tensor) -> Tensor:
    return x


def _reshape_to(shape: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    return lambda x: x.reshape(len(x), *shape)


def _as_layer(node: fx.Node) -> nn.Module:
    """The layer that does what a function does."""
    kind, arguments = _LAYERS[node.target], node.args[1:]
    if kind in POOLS and len(arguments) > 4:
        # The function and the layer take what follows in another order.
        raise not_certifiable(_called(node), _where(node))
    try:
        return kind(*arguments, **node.kwargs)
    except TypeError as error:
        raise not_certifiable(_called(node), _where(node)) from error


def _sources(node: fx.Node) -> list[fx.Node]:
    sources: list[fx.Node] = []
    fx.node.map_arg((node.args, node.kwargs), sources.append)
    return sources


def _plain(value: Any) -> Any:
    """A value that can be compared: tensors in it as lists."""
    return fx.node.map_aggregate(value, lambda part: part.tolist() if isinstance(part, Tensor) else part)


def _called(node: fx.Node) -> str:
    if node.op == "call_module":
        return str(node.target)
    return f"the function {node.target if isinstance(node.target, str) else getattr(node.target, '__name__', node.target)}"


def _where(node: fx.Node) -> str:
    if node.op == "call_module":
        return str(node.target)
    inside = [name for name in node.meta.get("nn_module_stack", {}) if name]
    return inside[-1] if inside else "the top"
