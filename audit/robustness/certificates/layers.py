"""The layers that can be bounded, by their exact types, and the operation that each is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from audit.robustness.certificates.operations import Curve, Gathered, Largest, Operation, Rearranged, Scaled, Weighted
from audit.robustness.certificates.refusal import not_certifiable
from classifier.architectures._layers import Standardize
from classifier.errors import NotApplicableError

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
POOLS = (nn.MaxPool1d, nn.MaxPool2d)
_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)
_AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
_CURVES = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.GELU)
# By exact type: a subclass may compute something else, and its own forward code is followed instead.
KNOWN = frozenset((Standardize, nn.Flatten, nn.Identity, *_DROPOUTS, *_BATCH_NORMS, *POOLS, *_WEIGHTED, *_AVERAGES, *_CURVES))


def operation_of(layer: nn.Module, shape: tuple[int, ...], where: str) -> Operation:
    """The operation that a layer is in evaluation, in double precision.

    Args:
        layer: One of the types in `KNOWN`, with weights in double precision.
        shape: Shape of what it takes, for one row.
        where: Its qualified name.

    Raises:
        NotApplicableError: If its options cannot be bounded.
    """

    def refused(why: str) -> NotApplicableError:
        return not_certifiable(f"{type(layer).__name__} {why}", where)

    if isinstance(layer, _WEIGHTED):
        if isinstance(layer, nn.Conv1d | nn.Conv2d) and (layer.padding_mode != "zeros" or layer.padding == "same"):
            raise refused(f"with padding {layer.padding_mode if layer.padding_mode != 'zeros' else layer.padding!r}")
        return Weighted(layer)
    if isinstance(layer, Standardize | nn.BatchNorm1d | nn.BatchNorm2d):
        if not isinstance(layer, Standardize) and (layer.running_mean is None or layer.running_var is None):
            raise refused("without running statistics")
        device = next(layer.buffers()).device
        return scaled(layer, torch.zeros(1, *shape, dtype=torch.float64, device=device))
    if isinstance(layer, _AVERAGES):
        if getattr(layer, "divisor_override", None) is not None:
            raise refused("with divisor_override")
        return Gathered(layer)
    if isinstance(layer, POOLS):
        if layer.ceil_mode or layer.return_indices:
            raise refused("with ceil_mode or return_indices")
        return Largest(layer)
    if isinstance(layer, nn.Flatten | nn.Identity | nn.Dropout | nn.Dropout1d | nn.Dropout2d):
        return Rearranged(layer.eval())
    if isinstance(layer, nn.LeakyReLU) and not 0 <= layer.negative_slope <= 1:
        raise refused(f"with a slope of {layer.negative_slope}, beyond [0, 1],")
    if isinstance(layer, nn.GELU) and layer.approximate != "none":
        raise refused("in its approximation by tanh")
    return Curve(layer)


def scaled(function: Callable[[Tensor], Tensor], none: Tensor) -> Scaled:
    """An operation that is affine in each element, known by what it makes of zeros and ones.

    Args:
        function: From ``(1, *S)`` to ``(1, *S)``.
        none: Zeros ``(1, *S)``.
    """
    shift = function(none)
    return Scaled(function(none + 1) - shift, shift)
