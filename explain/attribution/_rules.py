"""Rules: for which layers of a network a backward pass of shares has one, and what it calls beside its layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from classifier.classifier import Classifier
from explain.internals.layers import list_layers, probe, require_network, run_network

#: Layers whose output is linear in their input, up to a bias.
LINEAR: frozenset[type[nn.Module]] = frozenset({
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d,
})  # fmt: skip
#: Layers that only move, leave out or average what comes in, as they do in a network that does not train.
MOVING: frozenset[type[nn.Module]] = frozenset({
    nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout,
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d, nn.Upsample, nn.PixelShuffle, nn.ChannelShuffle,
})  # fmt: skip
# Functions that are not linear in what comes in.
_BENT = frozenset({
    "relu", "relu_", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardtanh", "hardswish", "tanh", "sigmoid",
    "logsigmoid", "softplus", "softsign", "softmax", "log_softmax", "layer_norm", "group_norm", "instance_norm", "batch_norm", "normalize",
    "max_pool1d", "max_pool2d", "max_pool3d", "amax", "max", "amin", "min", "exp", "log", "log1p", "sqrt", "rsqrt", "pow", "square", "abs",
    "clamp", "clamp_min", "clamp_max", "sin", "cos", "scaled_dot_product_attention", "multi_head_attention_forward",
})  # fmt: skip


def layer_without_rule(classifier: Classifier, ruled: Iterable[type[nn.Module]]) -> str:
    """The first layer of torch's own that has no rule, as a reason; empty where all have one.

    Layers that a network brings itself are not judged by their name.

    Args:
        classifier: One with a network.
        ruled: The types that have a rule.
    """
    known = set(ruled)
    for name, layer, _ in _leaves(classifier):
        if type(layer) not in known and type(layer).__module__.startswith("torch.nn."):
            return f"there is no rule for the layer {name!r} ({type(layer).__name__})"
    return ""


def layer_used_twice(classifier: Classifier, types: Iterable[type[nn.Module]]) -> str:
    """The first layer of such types that one pass calls more than once, as a reason; empty where there is none."""
    chosen = set(types)
    for name, layer, calls in _leaves(classifier):
        if type(layer) in chosen and calls > 1:
            kind = type(layer).__name__
            return f"the layer {name!r} ({kind}) is used {calls} times in one pass, and its rule holds for one: give each use an nn.{kind}"
    return ""


def functions_beside_layers(classifier: Classifier) -> tuple[str, ...]:
    """Functions that are not linear and that the network calls itself, not through a layer of torch's own."""
    network = require_network(classifier)
    seen = _Calls()
    handles = []
    for layer in network.modules():
        if type(layer).__module__.startswith("torch.nn.") and next(layer.children(), None) is None:
            handles += [layer.register_forward_pre_hook(seen.enter), layer.register_forward_hook(seen.leave)]
    try:
        with torch.no_grad(), seen:
            run_network(classifier, probe(classifier))
    finally:
        for handle in handles:
            handle.remove()
    return tuple(dict.fromkeys(seen.names))


class _Calls(TorchFunctionMode):
    """The names of functions called outside of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self._inside = 0

    def enter(self, _layer: nn.Module, _given: Any) -> None:
        self._inside += 1

    def leave(self, _layer: nn.Module, _given: Any, _output: Any) -> None:
        self._inside -= 1

    def __torch_function__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        name = getattr(function, "__name__", "")
        if name in _BENT and not self._inside:
            self.names.append(name.removesuffix("_"))
        return function(*given, **(named or {}))


def _leaves(classifier: Classifier) -> list[tuple[str, nn.Module, int]]:
    """Name, layer and number of calls of each layer that holds no others and is called."""
    network = require_network(classifier)
    if next(network.children(), None) is None:
        return [("", network, 1)]
    return [(layer.name, network.get_submodule(layer.name), layer.calls) for layer in list_layers(classifier) if layer.leaf and layer.calls]
