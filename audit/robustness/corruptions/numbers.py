"""Numbers of a feature in natural units, in and out of the columns that encode them."""

from __future__ import annotations

import torch
from torch import Tensor

from classifier.schema import Feature, Schema


def numeric_features(schema: Schema) -> tuple[Feature, ...]:
    """The features that are numbers rather than one of two values."""
    return tuple(feature for feature in schema.features if feature.kind in ("continuous", "integer"))


def natural(schema: Schema, feature: Feature, x: Tensor) -> Tensor:
    """A number in natural units ``(...)``, in double precision.

    Args:
        schema: How inputs are encoded.
        feature: The number.
        x: Inputs whose last axis are the columns ``(..., D)``.
    """
    column = x[..., schema.groups[feature.name].start].double()
    return column if feature.low is None or schema.encoding == "natural" else column * feature.span + feature.low


def put(schema: Schema, feature: Feature, x: Tensor, values: Tensor, *, inside: bool = True) -> None:
    """Write natural numbers into inputs, in place; those of a whole number are rounded.

    Args:
        schema: How inputs are encoded.
        feature: The number.
        x: Inputs whose last axis are the columns ``(..., D)``.
        values: What to write ``(...)``.
        inside: Whether values are brought into the feature's bounds, widened to what the input held before.
    """
    if inside and feature.low is not None and feature.high is not None:
        before = natural(schema, feature, x)
        values = torch.minimum(torch.maximum(values, before.clamp_max(feature.low)), before.clamp_min(feature.high))
    if feature.kind == "integer":
        values = values.round()
    encoded = values if feature.low is None or schema.encoding == "natural" else (values - feature.low) / feature.span
    x[..., schema.groups[feature.name].start] = encoded.to(x)
