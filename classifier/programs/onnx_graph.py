"""An ONNX graph as a module of torch, so that gradients pass; only of operators that map exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from classifier.programs.onnx_operators import OPERATORS, WITHOUT_GRADIENT


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
            missing = [name for name in node.inputs if name and name not in values]
            if missing:
                raise NotImplementedError(f"{node.operator} takes {missing[0]!r}, which is no array of numbers")
            given = [values[name] if name else None for name in node.inputs]
            answer = OPERATORS[node.operator](given, node.attributes, self.opset)
            values.update(zip(node.outputs, answer if isinstance(answer, tuple) else (answer,), strict=False))
        result: Tensor = values[self.target]
        return result.float()


def read_graph(model: Any) -> tuple[list[Node], dict[str, Tensor]]:
    """The operators and the constants of an ONNX model; those constants that torch cannot hold, as texts, are left out.

    Args:
        model: An ``onnx.ModelProto``.
    """
    from onnx import helper

    stated = {tensor.name: _tensor(tensor) for tensor in model.graph.initializer}
    stated |= {tensor.values.name: _sparse(tensor) for tensor in model.graph.sparse_initializer}
    nodes = []
    for node in model.graph.node:
        attributes = {a.name: _attribute(helper.get_attribute_value(a)) for a in node.attribute}
        if node.op_type == "Constant" and not node.domain:
            stated[node.output[0]] = _constant(attributes)
            continue
        if node.op_type == "Split":
            attributes.setdefault("num_outputs", len(node.output))  # which older versions do not state
        operator = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        nodes.append(Node(operator, tuple(node.input), tuple(node.output), attributes))
    return nodes, {name: tensor for name, tensor in stated.items() if tensor is not None}


def unmapped(nodes: Sequence[Node]) -> tuple[str, str] | None:
    """The first operator that does not map to torch, if there is one, and why it does not."""
    operator = next((node.operator for node in nodes if node.operator not in OPERATORS), None)
    if operator is None:
        return None
    return operator, "has no gradient" if operator in WITHOUT_GRADIENT else "is not mapped to torch"


def needed_for(nodes: Sequence[Node], target: str) -> list[Node]:
    """The operators that `target` depends on, in their order."""
    wanted, kept = {target}, []
    for node in reversed(nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            kept.append(node)
    return kept[::-1]


def _attribute(value: Any) -> Any:
    """An attribute's value: texts, which ONNX keeps as bytes, as such, and tensors as torch's (``None`` for others)."""
    from onnx import SparseTensorProto, TensorProto

    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, TensorProto):
        return _tensor(value)
    if isinstance(value, SparseTensorProto):
        return _sparse(value)
    return [_attribute(part) for part in value] if isinstance(value, list) else value


def _constant(attributes: Mapping[str, Any]) -> Tensor | None:
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    name, value = next(iter(attributes.items()), ("nothing", None))
    if name in ("value", "sparse_value"):
        return value
    return torch.from_numpy(np.array(value, dtype=kinds[name])) if name in kinds else None


def _tensor(tensor: Any) -> Tensor | None:
    from onnx import TensorProto, numpy_helper

    array = numpy_helper.to_array(tensor)
    if tensor.data_type == TensorProto.BFLOAT16:
        return torch.from_numpy(array.astype(np.float32)).bfloat16()
    # A copy: what onnx returns may be read-only memory of the file.
    return torch.from_numpy(np.array(array)) if array.dtype.kind in "biuf" else None


def _sparse(tensor: Any) -> Tensor | None:
    """A sparse tensor in full, as onnxruntime has it."""
    values, places = _tensor(tensor.values), _tensor(tensor.indices)
    if values is None or places is None:
        return None
    shape = list(tensor.dims)
    full = torch.zeros(shape, dtype=values.dtype)
    if places.dim() == 1:  # places in the array laid out flat
        full.view(-1)[places] = values
    else:
        full[tuple(places.T)] = values
    return full
