"""Pruning and quantisation of a trained network's weights, so that an audit can tell what they change.

Both are simulated: weights become 0 or lie on a coarse grid, and stay 32-bit numbers. A saved file gets no smaller
and no prediction faster; what is measured is what a runtime that uses the zeros or the grid would answer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def compress(module: nn.Module, *, prune: float, bits: int | None) -> dict[str, Any]:
    """Prune and quantise the weights of a network in place. Biases and normalisations stay.

    Args:
        module: A trained network.
        prune: Share of all weights that are not 0 yet and become it, the smallest of the whole network (Han et al., 2015,
            arXiv:1506.02626).
        bits: Width of the symmetric grid that the weights of each output, along the first axis, are rounded to, as
            integers of so many bits would hold them (Jacob et al., 2018, arXiv:1712.05877); ``None`` leaves them.

    Returns:
        What was done: how many weights there are, and the share of them that is 0.
    """
    weights = _weights(module)
    with torch.no_grad():
        if prune:
            _prune(weights, prune)
        if bits is not None:
            for weight in weights:
                weight.copy_(_on_grid(weight, bits))
    count = sum(weight.numel() for weight in weights)
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return {"prune": prune, "bits": bits, "weights": count, "zeros": zeros / max(1, count), "simulated": True}


def _weights(module: nn.Module) -> list[nn.Parameter]:
    """The matrices and kernels: one number for each pair of an input and an output, at least."""
    # Networks that are evaluated at once have their biases in a matrix, and name them so.
    named = [(name.split("."), parameter) for name, parameter in module.named_parameters()]
    return [parameter for path, parameter in named if parameter.dim() >= 2 and not any(part.startswith("bias") for part in path)]


def _prune(weights: list[nn.Parameter], share: float) -> None:
    sizes = torch.cat([weight.flatten().abs() for weight in weights])
    # A weight that was 0 from the start, as of an n-gram that no text has, would take the place of one that says something.
    idle = int((sizes == 0).sum())
    # By position and not by a threshold, so that ties do not prune more than the share.
    doomed = torch.zeros_like(sizes, dtype=torch.bool)
    doomed[sizes.argsort(stable=True)[: idle + round(share * (len(sizes) - idle))]] = True
    for weight, part in zip(weights, torch.split(doomed, [weight.numel() for weight in weights]), strict=True):
        weight.masked_fill_(part.reshape(weight.shape), 0.0)


def _on_grid(weight: Tensor, bits: int) -> Tensor:
    """Each output's weights rounded to whole multiples of its largest over ``2**(bits - 1) - 1``."""
    largest = weight.flatten(1).abs().amax(1).reshape(-1, *[1] * (weight.dim() - 1))
    step = largest / (2 ** (bits - 1) - 1)
    return torch.where(step > 0, (weight / step).round() * step, weight)
