"""Layers that several architectures share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """Subtract each input element's mean and divide by its standard deviation.

    It is the identity until `fit` has seen training data; what it learned is saved with the weights.

    Args:
        shape: Shape of one input ``(*S)``.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape))

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Learn mean and deviation from training inputs ``(N, *S)``; an element that never varies keeps deviation 1."""
        self.mean.copy_(x.mean(0))
        deviation = x.std(0, correction=0)
        self.deviation.copy_(torch.where(deviation > 1e-8, deviation, torch.ones_like(deviation)))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.deviation
