"""Two lines that enclose an activation over each element's interval (Zhang et al., 2018, arXiv:1811.00866, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_ROOT_OF_TWO = 2**0.5
_HALVINGS = 30
# Share of a value by which a line found in double precision is moved outward.
_OUTWARD = 1e-12


@dataclass(frozen=True)
class Lines:
    """Two lines for each element, ``slope x + shift``, each tensor ``(N, *S)``.

    Args:
        low_slope: Of the line below.
        low_shift: Of the line below.
        high_slope: Of the line above.
        high_shift: Of the line above.
        free: Of a corner that may go either way, the least slope that the line below may have (the most is 1), else NaN;
            nothing for a smooth activation.
    """

    low_slope: Tensor
    low_shift: Tensor
    high_slope: Tensor
    high_shift: Tensor
    free: Tensor | None = None

    def back(self, coefficients: Tensor, rows: Tensor, low_slope: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """A linear function of the output, as one of the input that is nowhere above it over the intervals.

        Args:
            coefficients: Of the output ``(M, *S)``.
            rows: The row of each function ``(M,)``.
            low_slope: Slopes of the lines below, if others than the lines' own ``(M, *S)``.

        Returns:
            Coefficients of the input ``(M, *S)``, and what is added ``(M,)``.
        """
        low_slope = self.low_slope[rows] if low_slope is None else low_slope
        # Two products are faster than a choice between two lines, element by element.
        below = coefficients.clamp_min(0)
        above = coefficients - below
        added = (below * self.low_shift[rows]).flatten(1).sum(1) + (above * self.high_shift[rows]).flatten(1).sum(1)
        return below * low_slope + above * self.high_slope[rows], added


def lines_of(layer: nn.Module, lower: Tensor, upper: Tensor) -> Lines:
    """The lines of an activation where its inputs lie between `lower` and `upper`, each ``(N, *S)``.

    Args:
        layer: A ReLU, a leaky one, a tanh, a sigmoid or a GELU.
        lower: Lowest input of each element.
        upper: Highest, nowhere below.
    """
    if isinstance(layer, nn.ReLU | nn.LeakyReLU):
        return _bent(lower, upper, layer.negative_slope if isinstance(layer, nn.LeakyReLU) else 0.0)
    function, slope_of, where_slope = _SMOOTH[type(layer)]
    ends = function(lower), function(upper)
    chord = torch.where(upper - lower > 1e-9, (ends[1] - ends[0]) / (upper - lower).clamp_min(1e-9), slope_of(lower))
    candidates = [chord, slope_of(lower), slope_of(upper), slope_of((lower + upper) / 2)]
    if type(layer) is nn.GELU:
        # Each slope asks for roots that have no closed form, and the chord's are tight on both sides.
        candidates = candidates[:1]
    middle = (lower + upper) / 2
    best: list[tuple[Tensor, Tensor, Tensor]] = []
    for slope in candidates:
        places = torch.stack([lower, upper, *(root.clamp(min=lower, max=upper) for root in where_slope(slope, lower, upper))])
        over = function(places) - slope * places
        slack = _OUTWARD * (1 + over.abs().amax(0))
        best.append((slope, over.amin(0) - slack, over.amax(0) + slack))
    slopes, least, most = (torch.stack(parts) for parts in zip(*best, strict=True))
    low = (slopes * middle + least).argmax(0, keepdim=True)
    high = (slopes * middle + most).argmin(0, keepdim=True)
    return Lines(slopes.gather(0, low)[0], least.gather(0, low)[0], slopes.gather(0, high)[0], most.gather(0, high)[0])


def _bent(lower: Tensor, upper: Tensor, below: float) -> Lines:
    """Of slope `below` under 0, and of slope 1 over it."""
    free = (lower < 0) & (upper > 0)
    own = torch.where(lower >= 0, torch.ones_like(lower), torch.full_like(lower, below))
    chord = (upper - below * lower) / (upper - lower).clamp_min(1e-300)
    high_slope = torch.where(free, chord, own)
    high_shift = torch.where(free, (1 - chord) * upper * (1 + _OUTWARD), torch.zeros_like(upper))
    # The side that is longer: the smaller area between the lines.
    low_slope = torch.where(free & (upper > -lower), torch.ones_like(own), own)
    nan = torch.full_like(lower, torch.nan)
    return Lines(low_slope, torch.zeros_like(lower), high_slope, high_shift, torch.where(free, torch.full_like(lower, below), nan))


def _sigmoid_slope(x: Tensor) -> Tensor:
    value = x.sigmoid()
    return value * (1 - value)


def _sigmoid_places(slope: Tensor, lower: Tensor, upper: Tensor) -> list[Tensor]:
    value = (1 + (1 - 4 * slope).clamp_min(0).sqrt()) / 2
    root = (value / (1 - value).clamp_min(1e-300)).log()
    return [root, -root]


def _tanh_slope(x: Tensor) -> Tensor:
    return 1 - x.tanh().square()


def _tanh_places(slope: Tensor, lower: Tensor, upper: Tensor) -> list[Tensor]:
    root = (1 - slope).clamp(0, 1 - 1e-16).sqrt().atanh()
    return [root, -root]


def _gelu_slope(x: Tensor) -> Tensor:
    return torch.special.ndtr(x) + x * (-x.square() / 2).exp() / (2 * torch.pi) ** 0.5


def _gelu_places(slope: Tensor, lower: Tensor, upper: Tensor) -> list[Tensor]:
    """Its slope rises between its two points of inflection and falls outside them: one place in each part."""
    corners = (torch.full_like(slope, -torch.inf), -_ROOT_OF_TWO, _ROOT_OF_TWO, torch.full_like(slope, torch.inf))
    places: list[Tensor] = []
    for part, rises in enumerate((False, True, False)):
        low = torch.maximum(lower, torch.as_tensor(corners[part]).to(lower)).minimum(upper)
        high = torch.minimum(upper, torch.as_tensor(corners[part + 1]).to(upper)).maximum(low)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            further = (_gelu_slope(middle) < slope) == rises
            low, high = torch.where(further, middle, low), torch.where(further, high, middle)
        places.append((low + high) / 2)
    return places


_Places = Callable[[Tensor, Tensor, Tensor], list[Tensor]]
_SMOOTH: dict[type[nn.Module], tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], _Places]] = {
    nn.Sigmoid: (torch.sigmoid, _sigmoid_slope, _sigmoid_places),
    nn.Tanh: (torch.tanh, _tanh_slope, _tanh_places),
    nn.GELU: (nn.functional.gelu, _gelu_slope, _gelu_places),
}
