"""Resting weights: layers that the first step of training leaves as they are, or units that learn as one."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from explain.internals.layers import own_weights

#: All 0 and without a gradient, all 0 with one, or units that are alike and have the same gradient; empty for none of these.
Rest = Literal["", "zero", "start", "equal"]

# How far two units may be apart that are alike, and their gradients, as a share of the largest number: rounding.
_ALIKE, _ALIKE_SLOPES = 1e-5, 1e-3


def rest_of(layer: nn.Module) -> Rest:
    """How a layer's weights rest, once the loss has gone back through the network.

    Units that are alike and have the same gradient stay alike in every step: what stands on either side of them tells them
    apart no more. Weights of 0 move if they have a gradient, as those of many a last layer do, which starts at 0.

    Args:
        layer: A layer whose weights have the gradients of the loss.
    """
    found: Rest = ""
    for weight in own_weights(layer):
        # A bias, or the shift of a normalisation, may well be 0; the factor of a normalisation stops what it is 0 for.
        if weight.grad is None or (weight.dim() < 2 and weight is not getattr(layer, "weight", None)):
            continue
        if not weight.any():
            if not weight.grad.any():
                return "zero"
            found = found or "start"
        elif weight.dim() > 1 and len(weight) > 1 and _rows_alike(weight.detach(), _ALIKE) and _rows_alike(weight.grad, _ALIKE_SLOPES):
            found = "equal"
    return found


def _rows_alike(values: Tensor, tolerance: float) -> bool:
    return bool((values - values[:1]).abs().max() <= tolerance * values.abs().max())
