"""How far single precision may move the outputs of a network, by error analysis (Higham and Mary, 2019, doi:10.1137/18M1226312)."""

from __future__ import annotations

import math
from math import prod

import torch
from torch import Tensor, nn

from audit.robustness.certificates.network import Network
from audit.robustness.certificates.operations import Curve, Gathered, Operation, Rearranged, Scaled, Sum, Weighted
from classifier.bounds import Box

# Unit roundoff of 32 bits.
_UNIT = 2.0**-24
# Roundings of an activation or a normalisation, and the steepest that an activation is: GELU.
_FEW, _STEEPEST = 8, 1.13
# An average's windows may overlap or be uneven, so that each holds up to this many times what its share of the elements is.
_UNEVEN = 4


def rounding_error(network: Network, boxes: list[Box]) -> Tensor:
    """By how much the outputs in 32 bits may differ from the true ones ``(N, T)``, in double precision.

    Each operation adds its own rounding, as large as the numbers that it adds up can be, and carries on what it was given. A
    sum of n terms counts twice the square root of n roundings where that is less than n, as independent ones add up to; so
    of more than four terms this is no proof.

    Args:
        network: The operations.
        boxes: Lowest and highest output of each step ``(N, *T)``.
    """
    sizes = [torch.maximum(low.abs(), high.abs()) for low, high in boxes]
    errors = [torch.zeros_like(sizes[0])]
    for step in network.steps[1:]:
        assert step.operation is not None
        given = [(errors[source], sizes[source] + errors[source]) for source in step.sources]
        errors.append(_carried(step.operation, given, prod(step.shape)))
    return errors[-1].flatten(1)


def _carried(operation: Operation, given: list[tuple[Tensor, Tensor]], outputs: int) -> Tensor:
    error, size = given[0]
    if isinstance(operation, Weighted):
        share = _of_sum(prod(operation.layer.weight.shape[1:]))
        moved = error + share * size
        low, high = operation.bounds((-moved, moved))
        # The middle of what is even about 0 is what the layer adds.
        return (high - low) / 2 + share * (high + low).abs() / 2
    if isinstance(operation, Scaled):
        return (error + _FEW * _UNIT * size) * operation.slope.abs() + _FEW * _UNIT * operation.shift.abs()
    if isinstance(operation, Sum):
        return sum((error + _UNIT * size for error, size in given), torch.zeros_like(error))
    if isinstance(operation, Gathered):
        inputs = sum(prod(size.shape[1:]) for _, size in given)
        share = 0.0 if isinstance(operation, Rearranged) else _of_sum(_UNEVEN * max(1, inputs // outputs))
        moved_all = [error + share * size for error, size in given]
        return operation.bounds(*((moved, moved) for moved in moved_all))[0]
    if isinstance(operation, Curve):
        exact = isinstance(operation.layer, nn.ReLU)
        return error if exact else _STEEPEST * error + _FEW * _UNIT * (1 + size)
    return operation.bounds((error, error))[0]


def _of_sum(terms: int) -> float:
    """The share of the size of its terms that a sum may be off by."""
    return _UNIT * (3 + min(terms, 2 * math.sqrt(terms)))
