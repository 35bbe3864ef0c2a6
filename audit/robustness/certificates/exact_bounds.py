"""Bounds of every neuron of a dense network, in double precision, by backward linear bounds (Zhang et al., 2018, arXiv:1811.00866).

An exact answer switches a neuron by a binary variable only where its bounds leave both sides open.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.certificates.exact_network import DenseNetwork
from audit.robustness.certificates.exact_part import Part
from audit.robustness.certificates.exact_region import LawfulRegion

# What rounding in double precision may take from a bound, as a share of its size.
_SLACK = 1e-9
# Unit roundoff of 32 bits, and by how much the solver may miss a constraint or a whole number.
_UNIT, _MISSED = 2.0**-24, 1e-6
# Roundings of a layer beside those of its sums: of a normalisation its root, its quotient and its product.
_FEW = 4


@dataclass(frozen=True)
class NeuronBounds:
    """What each neuron and each margin can be in each row's region.

    Args:
        lower: Least input of each activation, layer by layer ``(N, width)``.
        upper: Greatest input of each activation.
        margins: Proven lower bound of ``z_y - z_k`` ``(N, K)``; infinite at the label.
        slopes: Slope of the function below each margin that proves it ``(N, K, D)``.
        tolerance: How far the network in 32 bits, or the solver, may be off a margin ``(N,)``.
    """

    lower: tuple[Tensor, ...]
    upper: tuple[Tensor, ...]
    margins: Tensor
    slopes: Tensor
    tolerance: Tensor

    @property
    def unstable(self) -> Tensor:
        """How many activations of each row have a corner in their bounds ``(N,)``."""
        count = torch.zeros(len(self.margins), dtype=torch.int64)
        for lower, upper in zip(self.lower, self.upper, strict=True):
            count += ((lower < 0) & (upper > 0)).sum(1)
        return count


def neuron_bounds(network: DenseNetwork, region: LawfulRegion, labels: Tensor) -> NeuronBounds:
    """Bounds over each row's region.

    Args:
        network: The network.
        region: Where its inputs lie, of ``N`` rows.
        labels: Label of each row ``(N,)``.
    """
    lows: list[Tensor] = []
    highs: list[Tensor] = []
    rows = len(labels)
    below, above = region.lower, region.upper
    # The solver keeps the bounds of its variables as a share of what lies between them.
    error = 2 * _MISSED * (above - below)
    for layer, slope in enumerate(network.slopes):
        weight, bias = network.weights[layer], network.biases[layer]
        both = torch.cat([weight, -weight]).expand(rows, -1, -1)
        least, _ = _backward(network, region, layer, both, torch.cat([bias, -bias]).expand(rows, -1), lows, highs)
        low, high = least[:, : len(bias)], -least[:, len(bias) :]
        # Intervals alone are sometimes tighter than lines that were carried back.
        centre, radius = (below + above) / 2 @ weight.T + bias, (above - below) / 2 @ weight.T.abs()
        low, high = torch.maximum(low, centre - radius), torch.minimum(high, centre + radius)
        low, high = low - _SLACK * (1 + low.abs()), high + _SLACK * (1 + high.abs())
        lows.append(low)
        highs.append(high)
        error = _carried(error, below, above, network.parts[layer]) + _MISSED * (radius + high - low)
        below, above = (torch.nn.functional.leaky_relu(side, slope) for side in (low, high))
    last = len(network.slopes)
    weight, bias = network.weights[last], network.biases[last]
    differences = weight[labels][:, None] - weight[None]
    margins, slopes = _backward(network, region, last, differences, bias[labels][:, None] - bias[None], lows, highs)
    margins = (margins - _SLACK * (1 + margins.abs())).scatter(1, labels[:, None], torch.inf)
    missed = _MISSED * ((above - below) @ weight.T.abs()).amax(1)
    tolerance = 2 * (_carried(error, below, above, network.parts[last]).amax(1) + missed)
    return NeuronBounds(tuple(lows), tuple(highs), margins, slopes, tolerance)


def _carried(error: Tensor, below: Tensor, above: Tensor, parts: tuple[Part, ...]) -> Tensor:
    """The largest error of what layers after each other give ``(N, out)``, of inputs with an error between two bounds, rounded in 32 bits.

    It is carried through each layer as it is: between layers that make one matrix numbers may be larger than before and after.
    """
    centre, radius = (below + above) / 2, (above - below) / 2
    for part in parts:
        nothing = part.added_up(torch.zeros_like(centre[:1]))
        rounded = (part.terms + _FEW) * _UNIT * part.added_up(centre.abs() + radius + error)
        error = part.added_up(error) - nothing + rounded
        centre, radius = part.through(centre), part.added_up(radius) - nothing
    return error


def _backward(
    network: DenseNetwork, region: LawfulRegion, layer: int, slope: Tensor, constant: Tensor, lows: list[Tensor], highs: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """The least value ``(N, n)`` of affine functions of a layer's inputs, and their slopes by the inputs of the network ``(N, n, D)``.

    Args:
        network: The network.
        region: Where its inputs lie.
        layer: The layer.
        slope: By each of its inputs ``(N, n, in)``.
        constant: ``(N, n)``.
        lows: Least input of each activation before it.
        highs: Greatest.
    """
    for before in reversed(range(layer)):
        low, high, leak = lows[before], highs[before], network.slopes[before]
        open_ = (low < 0) & (high > 0)
        chord = (high - leak * low) / (high - low).clamp_min(1e-300)
        over = torch.where(open_, chord, torch.where(low >= 0, 1.0, leak))
        under = torch.where(open_, torch.where(high > -low, 1.0, leak), over)
        lifted = torch.where(open_, high * (1 - chord), 0.0)
        constant = constant + torch.einsum("nfd,nd->nf", slope.clamp_max(0), lifted)
        slope = slope.clamp_min(0) * under[:, None] + slope.clamp_max(0) * over[:, None]
        constant = constant + slope @ network.biases[before]
        slope = slope @ network.weights[before]
    return region.lowest(slope, constant), slope
