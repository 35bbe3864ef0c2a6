"""The graph of a torch.export archive, read as data and run operator by operator (PT2 archive, schema version 8)."""

from __future__ import annotations

import json
import operator
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from classifier.errors import IntegrityError, ModelError

SCHEMA = 8
# Numbers of torch._export.serde.schema.ScalarType and MemoryFormat.
_DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip
_FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format}
# Threat: torch.ops reaches operators that read and write files (from_file, save). What is not named here does not run.
_NAMES = """
    _adaptive_avg_pool2d _assert_scalar _assert_tensor_metadata _log_softmax _native_batch_norm_legit_no_training _softmax
    _to_copy _unsafe_view abs adaptive_avg_pool1d adaptive_avg_pool2d add addmm alias amax amin any arange argmax avg_pool1d
    avg_pool2d baddbmm batch_norm bitwise_and bitwise_not bitwise_or bmm cat chunk clamp clamp_max clamp_min clone contiguous
    conv1d conv2d conv3d convolution cos cumsum detach div dropout elu embedding empty eq erf exp expand expand_as
    feature_dropout fill flatten full full_like gather ge gelu group_norm gru gt hardsigmoid hardswish hardtanh index
    index_select instance_norm layer_norm le leaky_relu lift_fresh lift_fresh_copy linear log log1p log_softmax logical_and
    logical_not logical_or logsumexp lstm lt masked_fill matmul max max_pool1d max_pool2d max_pool2d_with_indices maximum mean
    min minimum mish mm movedim mul native_group_norm native_layer_norm ne neg new_full new_ones new_zeros ones ones_like pad
    permute pow prelu prod reciprocal relu relu6 repeat reshape rms_norm rnn_relu rnn_tanh rsqrt rsub
    scalar_tensor scaled_dot_product_attention select selu sigmoid silu sin slice softmax softplus split split_with_sizes sqrt
    square squeeze stack std sub sum sym_numel sym_size t tanh tile to transpose type_as unbind unflatten unsqueeze
    upsample_bilinear2d upsample_nearest2d var view where zeros zeros_like
    """
_ATEN = frozenset(_NAMES.split())
_PYTHON: Mapping[str, Callable[..., Any]] = {
    f"_operator.{name}": getattr(operator, name)
    for name in ("add", "sub", "mul", "floordiv", "mod", "neg", "eq", "ne", "lt", "le", "gt", "ge", "getitem")
}
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
        document, tensors = _read_archive(archive)
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
        self.dtype = _dtype(meta["dtype"])
        self._names = {name: f"constant_{index}" for index, name in enumerate(sorted(values))}
        for name, own in self._names.items():
            self.register_buffer(own, tensors[values[name]])
        if any(node.in_place and node.first in values for node in self.nodes):
            raise ModelError("the program changes its own weights when it runs", remedy="export the model after model.eval()")
        self.register_buffer("fingerprint", torch.tensor(list(bytes.fromhex(fingerprint)), dtype=torch.uint8))

    def forward(self, x: Tensor) -> Tensor:
        values: dict[str, Any] = {name: getattr(self, own) for name, own in self._names.items()}
        # A copy, since the first operator may work in place.
        values[self.source] = x.to(self.dtype, copy=True)
        for node in self.nodes:
            node.run(values, x.device)
            if self.target in node.outputs:
                break
        result: Tensor = values[self.target]
        return result.float()

    def last(self) -> _Node | None:
        """The operator that makes the output."""
        return next((node for node in self.nodes if self.target in node.outputs), None)


class _Node:
    """One operator, applied."""

    def __init__(self, node: Mapping[str, Any]) -> None:
        self.operator = str(node["target"]).removeprefix("torch.ops.")
        known = re.fullmatch(r"aten\.(\w+)\.(\w+)", self.operator)
        if known and known[1].removesuffix("_") in _ATEN:
            self._function: Callable[..., Any] = getattr(getattr(torch.ops.aten, known[1]), known[2])
        elif self.operator in _PYTHON:
            self._function = _PYTHON[self.operator]
        else:
            raise ModelError(
                f"the program uses the operator {self.operator}, which is not among those that are run from a file",
                remedy='bring the module itself: [model] python = "module:factory" with weights',
            )
        if any(argument["name"] in ("training", "train") and argument["arg"].get("as_bool") for argument in node["inputs"]):
            raise ModelError("the program was exported in training mode", remedy="export the model after model.eval()")
        # 2 is a keyword; older archives do not say, and name every argument.
        self._positional = [argument["arg"] for argument in node["inputs"] if argument.get("kind") == 1]
        self._named = {argument["name"]: argument["arg"] for argument in node["inputs"] if argument.get("kind") != 1}
        self._results = [_result_names(result) for result in node["outputs"]]
        #: Names of what it gives.
        self.outputs = [name for names in self._results for name in ([names] if isinstance(names, str) else names)]

    @property
    def in_place(self) -> bool:
        """Whether it changes what it takes."""
        return self.operator.split(".")[1].endswith("_")

    @property
    def first(self) -> str | None:
        """Name of the first tensor that it takes."""
        given = [*self._positional, *self._named.values()]
        return given[0]["as_tensor"]["name"] if given and "as_tensor" in given[0] else None

    def run(self, values: dict[str, Any], device: torch.device) -> None:
        """Add what it gives to `values`."""
        if self.operator.startswith(_IGNORED):
            return
        positional = [_argument(argument, values, device) for argument in self._positional]
        named = {name: _argument(argument, values, device) for name, argument in self._named.items()}
        answer = self._function(*positional, **named)
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
    if kind in ("as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string"):
        return stated
    if kind == "as_none":
        return None
    if kind == "as_scalar_type":
        return _dtype(stated)
    if kind == "as_memory_format":
        return _FORMATS[stated]
    if kind == "as_layout":
        return torch.strided
    if kind == "as_device":
        return device  # where the inputs are, wherever it was exported
    raise ModelError(f"the program has an argument of the kind {kind!r}, which is not known here")


def _symbol(stated: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    ((kind, value),) = stated.items()
    return values[value] if kind == "as_name" else value


def _dtype(number: int) -> torch.dtype:
    if number not in _DTYPES:
        raise ModelError(f"the program has numbers of the type {number}, which is not known here")
    return _DTYPES[number]


def _read_archive(archive: zipfile.ZipFile) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The graph and its tensors, which are raw numbers beside a JSON file; nothing that is pickled is opened."""
    names = archive.namelist()
    graphs = [name for name in names if re.fullmatch(r"[^/]+/models/[^/]+\.json", name)]
    if any("/aotinductor/" in name for name in names):
        raise IntegrityError("the archive holds compiled code, which is not run", remedy="save it with torch.export.save")
    if len(graphs) != 1:
        raise IntegrityError(
            f"the archive holds {len(graphs)} programs, required is one", remedy="save it with torch.export.save of torch 2.8 or later"
        )
    root, model = graphs[0].split("/")[0], graphs[0].rsplit("/", 1)[1].removesuffix(".json")
    document = json.loads(archive.read(graphs[0]))
    version = document.get("schema_version", {}).get("major")
    if version != SCHEMA:
        raise IntegrityError(f"the archive has the schema version {version}, required is {SCHEMA}", remedy="export it with torch 2.13")
    tensors: dict[str, Tensor] = {}
    for folder, kind in (("weights", "weights"), ("constants", "constants")):
        listed = f"{root}/data/{folder}/{model}_{kind}_config.json"
        entries = json.loads(archive.read(listed))["config"] if listed in names else {}
        for name, entry in entries.items():
            if entry["use_pickle"]:
                raise IntegrityError(
                    f"the archive keeps {name!r} as a pickle, which is not opened", remedy="export it without custom objects"
                )
            tensors[name] = _tensor(archive.read(f"{root}/data/{folder}/{entry['path_name']}"), entry["tensor_meta"])
    return document, tensors


def _tensor(content: bytes, meta: Mapping[str, Any]) -> Tensor:
    sizes, strides = ([extent["as_int"] for extent in meta[key]] for key in ("sizes", "strides"))
    if not content:
        return torch.zeros(sizes, dtype=_dtype(meta["dtype"]))
    flat = torch.frombuffer(bytearray(content), dtype=_dtype(meta["dtype"]))
    return flat.as_strided(sizes, strides, meta["storage_offset"]["as_int"]).clone()
