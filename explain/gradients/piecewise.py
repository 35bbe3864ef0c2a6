"""Piecewise: which layers of a network are affine, which are affine between corners, and whether its forward has more than layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import torch
from torch import Tensor, fx, nn

from classifier.architectures._layers import Standardize

_AFFINE: frozenset[type[nn.Module]] = frozenset(
    {
        Standardize, nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
        nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
        nn.Flatten, nn.Unflatten, nn.Identity, nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.PixelShuffle,
        nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
    }
)  # fmt: skip
_BATCH_NORMS: frozenset[type[nn.Module]] = frozenset({nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d})
#: Where each activation has its corners, element by element; between two of them it is affine.
_CORNERS: dict[type[nn.Module], Callable[[nn.Module], tuple[float, ...]]] = {
    **dict.fromkeys((nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.RReLU), lambda layer: (0.0,)),
    nn.ReLU6: lambda layer: (0.0, 6.0),
    nn.Hardtanh: lambda layer: (float(layer.min_val), float(layer.max_val)),  # type: ignore[arg-type]  # both are numbers
}
_POOLS: frozenset[type[nn.Module]] = frozenset({nn.MaxPool1d, nn.MaxPool2d})
# What forward code may do beside layers: to what depends on the input, and as products and quotients by constants.
_LINEAR = frozenset(
    {
        "add", "sub", "iadd", "isub", "neg", "flatten", "reshape", "view", "permute", "transpose", "movedim", "contiguous", "squeeze",
        "unsqueeze", "cat", "concat", "stack", "getitem", "mean", "sum", "expand", "expand_as", "chunk", "split", "unbind", "flip", "roll",
        "pad", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    }
)  # fmt: skip
_BY_CONSTANTS = frozenset({"mul", "imul", "truediv", "div", "matmul", "linear", "conv1d", "conv2d", "conv3d"})
_OF_SHAPES = frozenset({"size", "dim", "numel", "ndimension", "shape", "ndim", "device", "dtype", "len"})


def is_affine(layer: nn.Module) -> bool:
    """Whether a layer in evaluation maps straight lines to straight lines at even speed; by exact type, as a subclass may do more."""
    if type(layer) in _BATCH_NORMS:
        return layer.running_mean is not None
    return type(layer) in _AFFINE


def corners_of(layer: nn.Module) -> tuple[float, ...]:
    """The inputs at which an activation has a corner; none for a layer that is no piecewise linear activation."""
    return _CORNERS[type(layer)](layer) if type(layer) in _CORNERS else ()


def bends(layer: nn.Module) -> bool:
    """Whether a layer is affine between corners, and has some."""
    return type(layer) in _CORNERS or type(layer) in _POOLS


def layers_in_a_row(module: nn.Module) -> list[nn.Module]:
    """The layers of a plain sequence, and of plain sequences in it, in order."""
    # Only the plain class is known to apply its children one after the other.
    return list(chain.from_iterable(map(layers_in_a_row, module))) if type(module) is nn.Sequential else [module]


def split_affine(module: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The affine layers that a network begins with, and the rest; together they are the network."""
    if type(module) is not nn.Sequential or any(map(is_hooked, module.modules())):
        return nn.Sequential(), module
    layers = layers_in_a_row(module)
    count = next((index for index, layer in enumerate(layers) if not is_affine(layer)), len(layers))
    # What comes first in the rest must not write over its input, which a gradient is taken of.
    while 0 < count < len(layers) and getattr(layers[count], "inplace", False):
        count -= 1
    return nn.Sequential(*layers[:count]), nn.Sequential(*layers[count:])


def why_not_piecewise_linear(module: nn.Module) -> str:
    """Why a network cannot be cut into pieces on which it is affine; empty where no reason shows.

    Layers are judged by their types, and forward code by its symbolic trace. What cannot be traced, since it depends
    on values, shows no reason here.
    """
    for layer in _leaves(module):
        if not (is_affine(layer) or bends(layer)):
            return f"the layer {type(layer).__name__} is not known to be piecewise linear"
        if type(layer) in _POOLS and (layer.ceil_mode or layer.return_indices):
            return f"{type(layer).__name__} with ceil_mode or return_indices is not cut into pieces"
    if all(is_affine(layer) or bends(layer) for layer in layers_in_a_row(module)):
        return ""
    try:
        graph = _Tracer().trace(module)
    except Exception:  # whatever code of a user's own raises where it meets a symbol for a tensor
        return ""
    return _why_not_linear_between_layers(graph)


class _Tracer(fx.Tracer):
    """Follows forward code down to the layers whose types tell what they do."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return next(m.children(), None) is None


def _why_not_linear_between_layers(graph: fx.Graph) -> str:
    moving: set[fx.Node] = set()
    for node in graph.nodes:
        sources: list[fx.Node] = []
        fx.node.map_arg((node.args, node.kwargs), sources.append)
        inputs = [source for source in sources if source in moving]
        if node.op == "placeholder":
            moving.add(node)
        if not inputs or node.op == "output":
            continue
        if node.op == "call_module":
            moving.add(node)
            continue
        name = node.target if isinstance(node.target, str) else node.target.__name__
        if name in _OF_SHAPES or (node.target is getattr and node.args[1] in _OF_SHAPES):
            continue
        constant = len(inputs) == 1 and (name not in ("truediv", "div") or node.args[0] is inputs[0])
        asleep = name == "dropout" and (node.kwargs.get("training") is False or node.args[2:3] == (False,))
        if name not in _LINEAR and not (name in _BY_CONSTANTS and constant) and not asleep:
            return f"its forward code calls {name} itself, where only layers, such as torch.nn.ReLU, can be seen"
        moving.add(node)
    return ""


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    return (layer for layer in module.modules() if next(layer.children(), None) is None and not _is_container(layer))


def _is_container(layer: nn.Module) -> bool:
    """Whether it is an empty list or sequence of layers, which does nothing."""
    return isinstance(layer, nn.Sequential | nn.ModuleList | nn.ModuleDict)


def is_hooked(part: nn.Module) -> bool:
    """Whether code of somebody's own sees, and may change, what goes through a part of a network."""
    return bool(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks)


def pool_windows(layer: nn.Module, x: Tensor) -> Tensor:
    """The elements of which a maximum pooling takes the largest ``(N, windows, elements)``.

    Args:
        layer: An ``nn.MaxPool1d`` or ``nn.MaxPool2d``.
        x: What comes in ``(N, C, *spatial)``.
    """
    flat = isinstance(layer, nn.MaxPool1d)
    kernel, stride, padding, dilation = (
        _pair(value, flat, filler)  # type: ignore[arg-type]  # numbers and tuples of them
        for value, filler in ((layer.kernel_size, 1), (layer.stride, 1), (layer.padding, 0), (layer.dilation, 1))
    )
    x = x[:, :, None] if flat else x
    padded = nn.functional.pad(x, (padding[1], padding[1], padding[0], padding[0]), value=-torch.inf)
    # Windows as views, where unfold would multiply padding's infinities by zero on some devices.
    reach = [dilation[axis] * (kernel[axis] - 1) + 1 for axis in (0, 1)]
    windows = padded.unfold(2, reach[0], stride[0]).unfold(3, reach[1], stride[1])[..., :: dilation[0], :: dilation[1]]
    return windows.flatten(4).flatten(1, 3)


def _pair(value: int | tuple[int, ...], flat: bool, filler: int) -> tuple[int, int]:
    values = value if isinstance(value, tuple) else (value,) if flat else (value, value)
    return (filler, values[0]) if flat else (values[0], values[1])
