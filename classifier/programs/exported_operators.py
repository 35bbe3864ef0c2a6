"""The operators of torch that a file may name, and what they must be given."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from classifier.errors import IntegrityError, ModelError
from classifier.programs.recurrent_shapes import GATES, require_fitting

# Threat: torch.ops reaches operators that read and write files (from_file, save). What is not named here does not run.
NAMES = """
    _adaptive_avg_pool2d _assert_scalar _assert_tensor_metadata _log_softmax _native_batch_norm_legit_no_training _softmax
    _to_copy _unsafe_view abs adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d add addmm alias
    amax amin any arange argmax atan avg_pool1d avg_pool2d avg_pool3d baddbmm batch_norm bitwise_and bitwise_not bitwise_or bmm
    cat ceil celu chunk clamp clamp_max clamp_min clone contiguous conv1d conv2d conv3d conv_transpose1d conv_transpose2d
    conv_transpose3d convolution cos cumsum detach diagonal div dropout einsum elu embedding empty eq erf exp expand expand_as
    feature_dropout fill flatten flip floor full full_like gather ge gelu glu group_norm gru gt hardsigmoid hardswish hardtanh
    index index_select instance_norm layer_norm le leaky_relu lift_fresh lift_fresh_copy linalg_vector_norm linear log log1p
    log_sigmoid log_softmax logical_and logical_not logical_or logsumexp lstm lt masked_fill matmul max max_pool1d max_pool2d
    max_pool2d_with_indices max_pool3d maximum mean min minimum mish mm movedim mul narrow native_group_norm native_layer_norm
    ne neg new_full new_ones new_zeros numpy_T ones ones_like pad permute pow prelu prod reciprocal relu relu6 repeat reshape
    rms_norm rnn_relu rnn_tanh roll round rsqrt rsub scalar_tensor scaled_dot_product_attention scatter select selu sigmoid sign
    silu sin slice softmax softplus sort split split_with_sizes sqrt square squeeze stack std sub sum sym_numel sym_size t tan
    tanh tile to topk transpose tril triu type_as unbind unflatten unsqueeze upsample_bilinear2d upsample_nearest2d var view
    where zeros zeros_like
    """
_ATEN = frozenset(NAMES.split())
_PYTHON: Mapping[str, Callable[..., Any]] = {
    f"_operator.{name}": getattr(operator, name)
    for name in ("add", "sub", "mul", "floordiv", "mod", "neg", "eq", "ne", "lt", "le", "gt", "ge", "getitem")
}


class Operator:
    """One operator, found by the name that a file gives it.

    Args:
        name: Its name, as ``aten.add.Tensor``.

    Raises:
        ModelError: If it is not among those that are known to be harmless.
    """

    def __init__(self, name: str) -> None:
        known = re.fullmatch(r"aten\.(\w+)\.(\w+)", name)
        #: Its name without the mark of one that works in place; empty for one of Python.
        self.kind = known[1].removesuffix("_") if known else ""
        #: Whether it changes what it takes.
        self.in_place = bool(known and known[1].endswith("_"))
        #: Names of what it takes, in their order; none are known of one of Python.
        self.parameters: tuple[str, ...] = ()
        self._function: Callable[..., Any] | None = _PYTHON.get(name)
        if known and self.kind in _ATEN:
            self._function = getattr(getattr(torch.ops.aten, known[1], None), known[2], None)
            if not isinstance(self._function, torch._ops.OpOverload) or not _is_harmless(self._function, in_place=self.in_place):
                self._function = None
            else:
                self.parameters = tuple(argument.name for argument in self._function._schema.arguments)
        if self._function is None:
            raise ModelError(
                f"the program uses the operator {name}, which is not among those that are run from a file",
                remedy='bring the module itself: [model] python = "module:factory" with weights',
            )

    def __call__(self, positional: list[Any], named: Mapping[str, Any]) -> Any:
        """What it gives.

        Raises:
            IntegrityError: If it is given more than it takes.
            ModelError: If it is given what it does not check itself, and what does not fit.
        """
        assert self._function is not None  # __init__
        if not self.parameters:
            return self._in_python(positional, named)
        if len(positional) > len(self.parameters):
            raise IntegrityError(f"the operator {self.kind} is given {len(positional)} arguments, it takes {len(self.parameters)}")
        given = {**dict(zip(self.parameters, positional, strict=False)), **named}
        if given.get("training") or given.get("train") or (given.get("use_input_stats") and given.get("running_mean") is not None):
            raise ModelError("the program was exported in training mode", remedy="export the model after model.eval()")
        if self.kind in GATES:
            given = _recurrent(self.kind, given)
        if self.kind in _REQUIRED:
            _REQUIRED[self.kind](given)
        return self._function(**given)

    def _in_python(self, positional: list[Any], named: Mapping[str, Any]) -> Any:
        assert self._function is not None
        # Threat: with texts and lists these do other things, such as to repeat one a billion times.
        indexed = self._function is operator.getitem
        if not all(isinstance(value, int | float) for value in (*positional[int(indexed) :], *named.values())):
            raise ModelError("the program calculates with what are no numbers", remedy="export it with torch 2.13")
        return self._function(*positional, **named)


def _is_harmless(function: torch._ops.OpOverload, *, in_place: bool) -> bool:
    """Whether an overload writes to nothing but, where its name says so, its first tensor.

    Threat: an overload ``out`` writes into any tensor, the weights included; those that only TorchScript has (which the
    dispatcher does not know) crash on arguments that its compiler would never give; one of packed sequences trusts lengths.
    """
    written = [argument.name for argument in function._schema.arguments if argument.alias_info is not None and argument.alias_info.is_write]
    if written != (["self"] if in_place else []):
        return False
    name = ".".join(filter(None, (function._schema.name, function._schema.overload_name)))
    return torch._C._dispatch_has_kernel(name) and function._schema.overload_name != "data"


def _recurrent(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a recurrent operator, fitting and without gaps in memory, which oneDNN does not look for."""
    states = given["hx"] if isinstance(given["hx"], list) else [given["hx"]]
    require_fitting(
        kind, given["input"], states, given["params"], biases=given["has_biases"], layers=given["num_layers"],
        bidirectional=given["bidirectional"], batch_first=given["batch_first"],
    )  # fmt: skip
    whole = {name: value.contiguous() for name, value in given.items() if isinstance(value, Tensor)}
    lists = {name: [part.contiguous() for part in value] for name, value in given.items() if name in ("hx", "params") and name not in whole}
    return {**given, **whole, **lists}


def _batch_norm(given: Mapping[str, Any]) -> None:
    x = given["input"]
    for name in ("weight", "bias", "running_mean", "running_var"):
        tensor = given.get(name)
        if tensor is not None:
            _require(x.dim() >= 2 and tuple(tensor.shape) == tuple(x.shape[1:2]), name, tuple(tensor.shape), tuple(x.shape[1:2]))


def _group_norm(given: Mapping[str, Any]) -> None:
    x, stated = given["input"], tuple(given[name] for name in ("N", "C", "HxW"))
    shape = (*x.shape[:2], math.prod(x.shape[2:]))
    _require(x.numel() > 0 and stated == shape, "a shape", stated, shape)


def _attention(given: Mapping[str, Any]) -> None:
    key, value = given["key"], given["value"]
    _require(key.shape[:-1] == value.shape[:-1], "values", tuple(value.shape), (*key.shape[:-1], "any"))


def _division(given: Mapping[str, Any]) -> None:
    # Threat: the lowest whole number divided by -1 is no number of its type, and the processor ends the process.
    x = given["self"]
    whole = given.get("rounding_mode") is not None and isinstance(x, Tensor) and not x.is_floating_point()
    if whole and x.dtype != torch.bool and x.numel():
        lowest = torch.iinfo(x.dtype).min
        _require(lowest == 0 or int(x.min()) > lowest, "numbers", lowest, f"more than {lowest}")


def _upsampling(given: Mapping[str, Any]) -> None:
    # Threat: from a scale that does not lead from one size to the other, torch computes where to read.
    scales = [given.get(name) for name in ("scales_h", "scales_w")]
    scales = given["scale_factors"] if given.get("scale_factors") is not None else scales
    sizes = given["input" if "input" in given else "self"].shape[2:]
    for axis, scale in enumerate(scales):
        made = given["output_size"][axis] if given.get("output_size") is not None else None
        if scale is not None:
            fits = math.isfinite(scale) and scale > 0 and (made is None or abs(sizes[axis] * scale - made) <= 1)
            _require(fits, "a scale", scale, f"{made} of {sizes[axis]}")


def _require(holds: bool, name: str, found: object, required: object) -> None:
    if not holds:
        raise ModelError(f"the program gives an operator {name} of {found}, required is {required}", remedy="export the model again")


# Threat: these trust the sizes that they are given, and read beyond tensors that are smaller. Found by giving every operator
# above random arguments, and by trying wrong sizes of each by hand; the others check.
_REQUIRED: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "_native_batch_norm_legit_no_training": _batch_norm,
    "batch_norm": _batch_norm,
    "div": _division,
    "native_group_norm": _group_norm,
    "scaled_dot_product_attention": _attention,
    "upsample_bilinear2d": _upsampling,
    "upsample_nearest2d": _upsampling,
}
