"""The graph of a torch.export archive, run operator by operator (PT2 archive, schema version 8)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from classifier.errors import IntegrityError, ModelError
from classifier.programs.exported_archive import dtype_of, read_archive
from classifier.programs.exported_operators import Operator
from classifier.programs.recurrent_shapes import GATES

# Numbers of torch._export.serde.schema.MemoryFormat.
_FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format}
_IGNORED = ("aten._assert_scalar", "aten._assert_tensor_metadata")


class Program(nn.Module):
    """Runs the operators of an archive in their order.

    Args:
        archive: The opened file.
        fingerprint: SHA-256 of the file, in hexadecimal: it is among the buffers, so that it counts for the digest.

    Raises:
        IntegrityError: If it is no archive of this form, or holds what would have to be unpickled or run as code.
        ModelError: If it holds an operator that is not known, or takes or gives more than one tensor.
    """

    def __init__(self, archive: zipfile.ZipFile, fingerprint: str) -> None:
        super().__init__()
        document, tensors = read_archive(archive)
        graph, signature = document["graph_module"]["graph"], document["graph_module"]["signature"]
        self.nodes = tuple(_Node(node) for node in graph["nodes"])
        values: dict[str, str] = {}
        inputs: list[str] = []
        for spec in signature["input_specs"]:
            ((kind, stated),) = spec.items()
            keys = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}
            if kind in keys:
                values[stated["arg"]["name"]] = stated[keys[kind]]
            elif kind == "user_input" and "as_tensor" in stated["arg"]:
                inputs.append(stated["arg"]["as_tensor"]["name"])
            else:
                raise ModelError(f"the program takes an input of the kind {kind!r}, required are tensors alone")
        outputs = [spec for spec in signature["output_specs"] if "user_output" in spec]
        if len(outputs) < len(signature["output_specs"]):
            raise ModelError("the program changes its own buffers when it runs", remedy="export the model after model.eval()")
        if len(inputs) != 1 or len(outputs) != 1 or "as_tensor" not in outputs[0]["user_output"]["arg"]:
            raise ModelError(
                f"the program takes {len(inputs)} inputs and gives {len(outputs)} outputs, required is one tensor each",
                remedy="export a module that takes the inputs and returns the logits",
            )
        self.source, self.target = inputs[0], outputs[0]["user_output"]["arg"]["as_tensor"]["name"]
        meta = graph["tensor_values"][self.source]
        #: Shape of the input with the batch, ``None`` for an axis of any length.
        self.shape = tuple(extent.get("as_int") for extent in meta["sizes"])
        self.dtype = dtype_of(meta["dtype"])
        self._names = {name: f"constant_{index}" for index, name in enumerate(sorted(values))}
        for name, own in self._names.items():
            self.register_buffer(own, tensors[values[name]])
        if any(node.in_place and set(node.inputs[:1]) & set(values) for node in self.nodes):
            raise ModelError("the program changes its own weights when it runs", remedy="export the model after model.eval()")
        self.register_buffer("fingerprint", torch.tensor(list(bytes.fromhex(fingerprint)), dtype=torch.uint8))

    def forward(self, x: Tensor) -> Tensor:
        values: dict[str, Any] = {name: getattr(self, own) for name, own in self._names.items()}
        # A copy, since the first operator may work in place.
        values[self.source] = x.to(self.dtype, copy=True)
        before = self._versions()
        for node in self.nodes:
            node.run(values, x.device)
            if self.target in node.outputs:
                break
        if self._versions() != before:
            # By way of a view; what is changed under its own name was refused before.
            raise ModelError("the program changes its own weights when it runs", remedy="export the model after model.eval()")
        result = values[self.target]
        if not isinstance(result, Tensor):
            raise IntegrityError(f"the program gives {type(result).__name__}, required is a tensor", remedy="export it again")
        return result.float()

    def _versions(self) -> list[int]:
        """How often each weight was written to, which its views count along."""
        weights = [getattr(self, own) for own in self._names.values()]
        return [0 if weight.is_inference() else weight._version for weight in weights]  # those cannot be written to outside

    @property
    def recurrent(self) -> bool:
        """Whether it has states, whose shapes hold the number of rows."""
        return any(node.kind in GATES for node in self.nodes)


class _Node:
    """One operator, applied."""

    def __init__(self, node: Mapping[str, Any]) -> None:
        self.operator = str(node["target"]).removeprefix("torch.ops.")
        self._apply = Operator(self.operator)
        self.in_place, self.kind = self._apply.in_place, self._apply.kind
        # 2 is a keyword; older archives do not say, and name every argument.
        self._positional = [argument["arg"] for argument in node["inputs"] if argument.get("kind") == 1]
        self._named = {argument["name"]: argument["arg"] for argument in node["inputs"] if argument.get("kind") != 1}
        self._results = [_result_names(result) for result in node["outputs"]]
        #: Names of the tensors that it takes.
        self.inputs = [name for argument in [*self._positional, *self._named.values()] for name in _tensor_names(argument)]
        #: Names of what it gives.
        self.outputs = [name for names in self._results for name in ([names] if isinstance(names, str) else names)]

    def run(self, values: dict[str, Any], device: torch.device) -> None:
        """Add what it gives to `values`."""
        if self.operator.startswith(_IGNORED):
            return
        positional = [_argument(argument, values, device) for argument in self._positional]
        named = {name: _argument(argument, values, device) for name, argument in self._named.items()}
        answer = self._apply(positional, named)
        if len(self._results) == 1:
            answer = [answer]
        for names, result in zip(self._results, answer, strict=True):
            values.update({names: result} if isinstance(names, str) else zip(names, result, strict=True))


def _result_names(result: Mapping[str, Any]) -> str | list[str]:
    ((kind, stated),) = result.items()
    if kind == "as_tensor":
        return str(stated["name"])
    if kind == "as_tensors":
        return [str(entry["name"]) for entry in stated]
    if kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        return str(stated["as_name"])
    if kind == "as_none":
        return "(none)"
    raise ModelError(f"the program has an output of the kind {kind!r}, which is not known here")


def _tensor_names(argument: Mapping[str, Any]) -> list[str]:
    ((kind, stated),) = argument.items()
    if kind in ("as_tensor", "as_tensors"):
        return [str(entry["name"]) for entry in (stated if kind == "as_tensors" else [stated])]
    if kind in ("as_optional_tensor", "as_optional_tensors"):
        entries = stated if kind == "as_optional_tensors" else [stated]
        return [str(entry["as_tensor"]["name"]) for entry in entries if "as_tensor" in entry]
    return []


def _argument(argument: Mapping[str, Any], values: Mapping[str, Any], device: torch.device) -> Any:
    """An argument as the operator takes it."""
    ((kind, stated),) = argument.items()
    if kind == "as_tensor":
        return values[stated["name"]]
    if kind == "as_tensors":
        return [values[entry["name"]] for entry in stated]
    if kind == "as_optional_tensors":
        return [values[entry["as_tensor"]["name"]] if "as_tensor" in entry else None for entry in stated]
    if kind == "as_optional_tensor":
        return values[stated["as_tensor"]["name"]] if "as_tensor" in stated else None
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return _symbol(stated, values)
    if kind in ("as_sym_ints", "as_sym_floats", "as_sym_bools"):
        return [_symbol(entry, values) for entry in stated]
    if kind in ("as_int", "as_ints", "as_bool", "as_bools", "as_string"):
        return stated
    if kind == "as_float":
        return float(stated)  # JSON has no infinity: it stands there as a text
    if kind == "as_floats":
        return [float(entry) for entry in stated]
    if kind == "as_none":
        return None
    if kind == "as_scalar_type":
        return dtype_of(stated)
    if kind == "as_memory_format":
        return _FORMATS[stated]
    if kind == "as_layout":
        return torch.strided
    if kind == "as_device":
        return device  # where the inputs are, wherever it was exported
    raise ModelError(f"the program has an argument of the kind {kind!r}, which is not known here")


def _symbol(stated: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    ((kind, value),) = stated.items()
    if kind == "as_name":
        return values[value]
    return float(value) if kind == "as_float" else value
