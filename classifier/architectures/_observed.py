"""Layers over steps or nodes, of which only those that were observed count."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from classifier.architectures._layers import Standardize
from classifier.chunks import sum_in_chunks
from classifier.modalities._observed import observed_column
from classifier.schema import Schema


class StandardizeObserved(Standardize):
    """Subtract each number's mean over all observed steps or nodes, and divide by its standard deviation.

    The columns of a category stay 0 and 1: divided by its deviation, a rare one would outweigh all others.

    Args:
        schema: What the inputs are; its flag of what was observed, if it has one, is no column to standardize.
    """

    def __init__(self, schema: Schema) -> None:
        flag = observed_column(schema)
        columns = [index for index in range(len(schema.columns)) if index != flag]
        super().__init__((len(columns),))
        self.flag, self.columns = flag, columns
        kinds = [feature.kind for feature in schema.features for _ in range(feature.width)]
        self.fixed = [place for place, index in enumerate(columns) if kinds[index] == "categorical"]

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Learn mean and deviation from training inputs ``(N, T, D)``; a column that never varies keeps deviation 1."""

        def summed(values: Callable[[Tensor], Tensor]) -> Tensor:
            return sum_in_chunks(lambda part: (values(part[..., self.columns]) * self.observed(part)[..., None]).sum((0, 1)), x)

        count = summed(torch.ones_like).clamp_min(1.0)
        self.mean.copy_(summed(lambda values: values) / count)
        self.mean[self.fixed] = 0.0
        deviation = (summed(lambda values: (values - self.mean).square()) / count).sqrt().to(x.dtype)
        self.deviation.copy_(torch.where(deviation > 1e-8, deviation, torch.ones_like(deviation)))
        self.deviation[self.fixed] = 1.0

    def observed(self, x: Tensor) -> Tensor:
        """Whether each step or node was there, 1 or 0 ``(N, T)``."""
        return torch.ones_like(x[..., 0]) if self.flag is None else x[..., self.flag]

    def forward(self, x: Tensor) -> Tensor:
        """Standardized columns ``(N, T, D')``, 0 where nothing was observed."""
        return (x[..., self.columns] - self.mean) / self.deviation * self.observed(x)[..., None]


def pool(values: Tensor, here: Tensor) -> Tensor:
    """Mean and maximum over what was observed ``(N, 2 C)``, 0 where nothing was.

    Continuous in `here` between 0 and 1, so that a path from an input to an empty one has no jump.

    Args:
        values: One vector a step or node, at least 0 ``(N, T, C)``.
        here: Whether it was there ``(N, T)``.
    """
    counted = values * here[..., None]
    return torch.cat([counted.sum(1) / here.sum(1, keepdim=True).clamp_min(1.0), counted.amax(1)], dim=1)


def weighted_softmax(scores: Tensor, weight: Tensor) -> Tensor:
    """Softmax over the last axis in which each score counts by its weight: ``w exp(s) / sum(w exp(s))``.

    At weights of 1 it is the softmax, and a score of weight 0 is left out; between them it is smooth. All
    weights 0 give 0.

    Args:
        scores: Scores ``(..., T)``.
        weight: How much each counts, from 0 to 1 ``(..., T)``.
    """
    highest = scores.detach().masked_fill(weight <= 0, -torch.inf).amax(-1, keepdim=True)
    highest = torch.where(highest.isfinite(), highest, torch.zeros_like(highest))
    # A score that is left out may be far above those that count; its exponential must stay finite to be multiplied by 0.
    counted = weight * (scores - highest).clamp_max(30.0).exp()
    return counted / counted.sum(-1, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)


class WeightedSoftmax(nn.Module):
    """`weighted_softmax` as a layer of its own, so that its weights, and gradients with respect to them, can be looked at."""

    def forward(self, scores: Tensor, weight: Tensor) -> Tensor:
        return weighted_softmax(scores, weight)
