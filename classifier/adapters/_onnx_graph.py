"""An ONNX graph as a module of torch, so that gradients pass; only of operators that map exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from classifier.adapters._onnx_operators import OPERATORS
from classifier.errors import ModelError

#: Operators that change the form of what they are given, and not what it means.
_FORMAL = ("Identity", "Cast", "Reshape", "Squeeze", "Flatten", "Dropout")


@dataclass(frozen=True)
class Node:
    """One operator of a graph, applied.

    Args:
        operator: Its name.
        inputs: Names of what it takes; an empty one is left out.
        outputs: Names of what it gives.
        attributes: Its attributes.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


class Graph(nn.Module):
    """Runs the operators in their order.

    Args:
        nodes: The operators, each after those whose outputs it takes.
        constants: The weights and other constants, by name.
        opset: Version of the operators.
        source: Name of the input.
        target: Name of the output.
        dtype: Type of the input's elements.
        fingerprint: SHA-256 of the file, in hexadecimal: it is among the buffers, so that it counts for the digest
            of a classifier, since tensors alone do not tell what is done with them.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        constants: Mapping[str, Tensor],
        *,
        opset: int,
        source: str,
        target: str,
        dtype: torch.dtype,
        fingerprint: str,
    ) -> None:
        super().__init__()
        self.nodes = tuple(nodes)
        self.dtype = dtype
        self.opset, self.source, self.target = opset, source, target
        self._names = {name: f"constant_{index}" for index, name in enumerate(sorted(constants))}
        for name, own in self._names.items():
            self.register_buffer(own, constants[name])
        self.register_buffer("fingerprint", torch.tensor(list(bytes.fromhex(fingerprint)), dtype=torch.uint8))

    def forward(self, x: Tensor) -> Tensor:
        values: dict[str, Any] = {name: getattr(self, own) for name, own in self._names.items()}
        values[self.source] = x.to(self.dtype)
        for node in self.nodes:
            given = [values[name] if name else None for name in node.inputs]
            answer = OPERATORS[node.operator](given, node.attributes, self.opset)
            values.update(zip(node.outputs, answer if isinstance(answer, tuple) else (answer,), strict=False))
        result: Tensor = values[self.target]
        return result.float()


def read_graph(model: Any) -> tuple[list[Node], dict[str, Tensor]]:
    """The operators and the constants of an ONNX model.

    Args:
        model: An ``onnx.ModelProto``.
    """
    from onnx import helper, numpy_helper

    constants = {tensor.name: _tensor(numpy_helper.to_array(tensor)) for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        attributes = {name: _text(value) for name, value in attributes.items()}
        if node.op_type == "Constant" and not node.domain:
            constants[node.output[0]] = _constant(attributes, numpy_helper.to_array)
        else:
            operator = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
            nodes.append(Node(operator, tuple(node.input), tuple(node.output), attributes))
    return nodes, constants


def without_gradient(nodes: Sequence[Node]) -> str | None:
    """The first operator that does not map to torch, if there is one."""
    return next((node.operator for node in nodes if node.operator not in OPERATORS), None)


def terminal(nodes: Sequence[Node], name: str) -> Node | None:
    """The operator that gives an output its meaning: the last one that is no mere change of form."""
    made = {output: node for node in nodes for output in node.outputs}
    node = made.get(name)
    while node is not None and node.operator in _FORMAL:
        node = made.get(node.inputs[0])
    return node


def needed_for(nodes: Sequence[Node], target: str) -> list[Node]:
    """The operators that `target` depends on, in their order."""
    wanted, kept = {target}, []
    for node in reversed(nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            kept.append(node)
    return kept[::-1]


def _text(value: Any) -> Any:
    """Strings of an attribute, which ONNX keeps as bytes."""
    if isinstance(value, bytes):
        return value.decode()
    return [_text(part) for part in value] if isinstance(value, list) else value


def _constant(attributes: Mapping[str, Any], to_array: Any) -> Tensor:
    if "value" in attributes:
        return _tensor(to_array(attributes["value"]))
    name = next(iter(attributes), "nothing")
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    if name not in kinds:
        raise ModelError(f"the ONNX model has a constant of the kind {name!r}, required are tensors and numbers")
    return _tensor(np.asarray(attributes[name], dtype=kinds[name]))


def _tensor(array: Any) -> Tensor:
    # A copy: what onnx returns may be read-only memory of the file. A constant of strings is of no use to torch.
    return torch.from_numpy(np.array(array)) if np.asarray(array).dtype.kind in "biuf" else torch.empty(0)
