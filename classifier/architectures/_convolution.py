"""Convolutions over images, and the normalisations that may follow them."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from torch import nn

from classifier.errors import ConfigurationError, did_you_mean

NORMALISATIONS = ("batch", "group", "none")
# A map narrower than this is not halved any more.
NARROWEST = 4
_GROUPS = 8


def check_options(channels: Sequence[int], normalisation: str, dropout: float) -> None:
    """Refuse options that no convolutional network can have."""
    if not channels or min(channels) < 1:
        raise ConfigurationError(f"channels must hold widths of at least 1, got {list(channels)}")
    if normalisation not in NORMALISATIONS:
        raise ConfigurationError(f"there is no normalisation {normalisation!r}", remedy=did_you_mean(normalisation, NORMALISATIONS))
    if not 0 <= dropout < 1:
        raise ConfigurationError(f"dropout must lie in [0, 1), got {dropout}")


def convolution(inputs: int, outputs: int, *, stride: int, normalisation: str) -> list[nn.Module]:
    """A convolution of 3 x 3 and its normalisation; a stride of 2 halves height and width, rounding up."""
    if normalisation == "none":
        return [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)]
    # Group normalisation sees one input at a time, as private training asks; batch normalisation mixes them.
    norm = nn.BatchNorm2d(outputs) if normalisation == "batch" else nn.GroupNorm(gcd(outputs, _GROUPS), outputs)
    return [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), norm]
