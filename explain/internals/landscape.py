"""Loss landscape: the loss around the weights that were learned, along random directions (Li et al., 2018, arXiv:1712.09913)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from classifier.chunks import ELEMENTS
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.progress import progress_bar
from classifier.seeds import Seed
from explain.internals.diagnosing import labelled
from explain.internals.layers import list_layers, require_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Rows that the loss is taken of at most, evenly chosen: a picture shows no more of 100,000 rows.
_ROWS = 1000


@dataclass(frozen=True, eq=False)
class LossLandscape:
    """The loss where the weights are moved along random directions.

    Only two of as many directions as there are weights are seen, so that a smooth picture says little of the others. The
    shapes of two networks may be compared where both are drawn with the same reach, since a direction changes
    every filter by a multiple of its own size.

    Args:
        places: How far the weights are moved, as multiples of their own size ``(P,)``.
        losses: Mean cross-entropy in nats ``(P,)``, or ``(P, P)`` along both directions; infinite where it overflows.
        loss: The loss of the network itself.
        rows: Of how many rows it is the mean.
        seed: What the directions were drawn from.
    """

    places: NDArray[np.float64]
    losses: NDArray[np.float64]
    loss: float
    rows: int
    seed: int

    def to_frame(self) -> pd.DataFrame:
        """One line for each place: how far along each direction, and the loss."""
        if self.losses.ndim == 1:
            return pd.DataFrame({"first": self.places, "loss": self.losses})
        first, second = np.meshgrid(self.places, self.places, indexing="ij")
        return pd.DataFrame({"first": first.ravel(), "second": second.ravel(), "loss": self.losses.ravel()})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the loss as a line, or as lines of equal loss over both directions."""
        from explain.figures.training.loss_landscape import draw_loss_landscape

        return draw_loss_landscape(self, ax=ax)

    def __repr__(self) -> str:
        finite, shape = self.losses[np.isfinite(self.losses)], " x ".join(map(str, self.losses.shape))
        return f"LossLandscape({shape}, {self.loss:.4g} in the middle, {finite.min():.4g} to {finite.max():.4g})"

    def _repr_html_(self) -> str:
        from explain.figures.network._html import figure_html

        return figure_html(self.plot().figure)  # type: ignore[arg-type]  # axes of a figure of their own


def loss_landscape(
    classifier: Classifier,
    data: Dataset | Tensor,
    labels: Tensor | None = None,
    *,
    dimensions: int = 2,
    points: int = 21,
    reach: float = 1.0,
    seed: int = 0,
) -> LossLandscape:
    """The loss on a line or in a plane through the weights that were learned.

    A direction is drawn from a normal distribution and scaled filter by filter: what is learned of one unit, channel or
    token moves by a multiple of its own size (section 4). Biases and the weights of normalisations stay.

    Args:
        classifier: One with a network; nothing of it is changed.
        data: Rows with their labels, or inputs ``(N, *S)``; of more than 1000 rows, 1000 are taken.
        labels: Class of each input ``(N,)``, where `data` are inputs.
        dimensions: 1 or 2.
        points: Places along each direction, odd, so that one is the network itself.
        reach: How far the weights are moved, as a multiple of their own size.
        seed: Decides the directions.

    Raises:
        NotApplicableError: If the classifier is a black box, or all that its network learned are single numbers.
        ConfigurationError: If an option is impossible, or there are no labels.
    """
    if dimensions not in (1, 2):
        raise ConfigurationError(f"dimensions must be 1 or 2, got {dimensions}")
    if points < 3 or points % 2 == 0:
        raise ConfigurationError(f"points must be odd and at least 3, got {points}")
    if not 0 < reach < np.inf:
        raise ConfigurationError(f"reach must be more than 0, got {reach}")
    x, y = labelled(classifier, data, labels)
    chosen = torch.linspace(0, len(x) - 1, min(_ROWS, len(x)), device=x.device).round().long()
    module = require_network(classifier)
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    stream = Seed(seed, ("loss landscape",))
    ways = [random_direction(weights, stream.child(axis)) for axis in range(dimensions)]
    if not any(bool(way.any()) for way in ways[0].values()):
        raise NotApplicableError("the network learned no filters that could be moved", remedy="it needs linear layers or convolutions")
    widest = max((prod(layer.shape) for layer in list_layers(classifier, x) if layer.shape is not None), default=1)
    size = max(1, ELEMENTS // max(widest, prod(x.shape[1:])))
    parts = [torch.split(part[chosen], size) for part in (x, y)]

    def loss_at(steps: tuple[float, ...]) -> float:
        moved = {
            name: weight + sum(step * way[name] for step, way in zip(steps, ways, strict=True)) if weight.is_floating_point() else weight
            for name, weight in weights.items()
        }
        total = 0.0
        for some, right in zip(*parts, strict=True):
            logits = classifier.logits_of(functional_call(module, moved, (some,)))
            total += float(cross_entropy(logits.double(), right, reduction="sum"))
        return total / len(chosen) if np.isfinite(total) else np.inf

    places = np.linspace(-reach, reach, points)
    places[points // 2] = 0.0
    grid = list(np.ndindex(*(points,) * dimensions))
    losses = np.empty((points,) * dimensions)
    with torch.no_grad(), progress_bar("loss landscape", len(grid)) as advance:
        for cell in grid:
            losses[cell] = loss_at(tuple(float(places[place]) for place in cell))
            advance("")
    return LossLandscape(places, losses, float(losses[(points // 2,) * dimensions]), len(chosen), seed)


def random_direction(weights: dict[str, Tensor], stream: Seed) -> dict[str, Tensor]:
    """A random direction in which every filter is as large as that of the network; 0 for weights that are no filters.

    Args:
        weights: Weights by name; a filter is all that belongs to one place along the first axis.
        stream: Where the random numbers come from.
    """
    way = {}
    for name, weight in weights.items():
        way[name] = torch.zeros_like(weight)
        if weight.dim() > 1 and weight.is_floating_point():
            drawn = torch.randn(weight.shape, generator=stream.child(name).torch()).to(weight)
            axes = tuple(range(1, weight.dim()))
            size = drawn.square().sum(axes, keepdim=True).sqrt()
            way[name] = drawn * weight.square().sum(axes, keepdim=True).sqrt() / size.clamp_min(torch.finfo(weight.dtype).tiny)
    return way
