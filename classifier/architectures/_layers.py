"""Layers that several architectures share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from classifier.schema import Schema


class Standardize(nn.Module):
    """Subtract each input element's mean and divide by its standard deviation.

    It is the identity until `fit` has seen training data; what it learned is saved with the weights.

    Args:
        shape: Shape of one input ``(*S)``; along an axis of extent 1 all elements share one mean and deviation,
            as those of a channel do with ``(C, 1, 1)``.
        columns: Which elements along the last axis it scales, all by default; the others stay as they are.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: tuple[int, ...], *, columns: Sequence[int] | None = None) -> None:
        super().__init__()
        self.others = [] if columns is None else sorted(set(range(shape[-1])) - set(columns))
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape))

    @classmethod
    def of(cls, schema: Schema) -> Standardize:
        """For the inputs of a schema: an image channel by channel, else each number on its own.

        The columns of categories stay 0 and 1: divided by its deviation, a rare category would count for many times
        a common one before anything is learned of it.
        """
        if schema.modality == "image":
            return cls((len(schema.columns), 1, 1))
        numbers = [feature.name for feature in schema.features if feature.kind in ("continuous", "integer")]
        return cls(schema.shape, columns=[schema.groups[name].start for name in numbers])

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Learn mean and deviation from training inputs ``(N, *S)``; an element that never varies keeps deviation 1."""
        shared = (0, *(axis for axis, extent in enumerate(self.mean.shape, start=1) if extent == 1))
        self.mean.copy_(x.mean(shared, keepdim=True)[0])
        deviation = x.std(shared, correction=0, keepdim=True)[0]
        self.deviation.copy_(torch.where(deviation > 1e-8, deviation, torch.ones_like(deviation)))
        self.mean[..., self.others], self.deviation[..., self.others] = 0, 1

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.deviation
