"""Whether a classifier answers as the model did that it was made of: compared on a sample, at load."""

from __future__ import annotations

import torch
from torch import Tensor

from classifier.errors import ModelError
from classifier.modality import MODALITIES
from classifier.schema import Schema
from classifier.seeds import Seed

SAMPLE = 64
TOLERANCE = 1e-4


def sample_inputs(schema: Schema, count: int = SAMPLE) -> Tensor:
    """Random inputs, each element within its bounds ``(count, *S)``; the same ones every time.

    A number without bounds is drawn around 0 by its scale, a whole number is whole, a group of categories has one.
    """
    generator = Seed(0, ("adapters", "sample")).torch()
    low, high = schema.bounds
    shape = (count, *schema.shape)
    drawn = torch.rand(shape, generator=generator)
    around = torch.randn(shape, generator=generator) * schema.scale
    bounded = low.isfinite() & high.isfinite()
    x = torch.where(bounded, torch.nan_to_num(low) + drawn * torch.nan_to_num(high - low), around)
    by_column = schema.shape == (*schema.size, len(schema.columns))
    for feature in schema.features if by_column else ():
        columns = schema.groups[feature.name]
        if feature.kind == "categorical":
            x[..., columns] = torch.nn.functional.one_hot(drawn[..., columns].argmax(-1), feature.width).to(x)
        elif feature.kind == "binary":
            x[..., columns] = torch.where(drawn[..., columns] < 0.5, low[..., columns], high[..., columns])
        elif feature.kind == "integer" and schema.encoding == "natural":
            x[..., columns] = x[..., columns].round()
    return x.to(MODALITIES[schema.modality].dtype)


def require_equal(found: Tensor, expected: Tensor, *, what: str, tolerance: float = TOLERANCE) -> None:
    """Refuse a classifier that answers otherwise than its original.

    Args:
        found: Its probabilities ``(N, K)``.
        expected: Those of the original ``(N, K)``.
        what: What to call it in the error.
        tolerance: Largest difference of a probability that rounding explains.

    Raises:
        ModelError: With the largest difference.
    """
    if found.shape != expected.shape:
        raise ModelError(f"{what} answers with the shape {tuple(found.shape)}, its original with {tuple(expected.shape)}")
    difference = (found.double() - expected.double()).abs().max().item()
    if not difference <= tolerance:
        raise ModelError(
            f"{what} answers otherwise than its original: probabilities differ by up to {difference:.2g}, allowed are {tolerance:g}"
        )
