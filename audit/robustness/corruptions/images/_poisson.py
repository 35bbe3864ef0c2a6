"""Poisson numbers of any mean by inversion (Giles, 2016, ACM TOMS 42(1), doi:10.1145/2699466)."""

from __future__ import annotations

import torch
from torch import Tensor

# From here on, the expansion of the quantile errs about once in a thousand, by one.
_LARGE = 10.0
# Beyond so many counts lies less than a uniform number of 24 bits can tell, for any mean below `_LARGE`.
_MOST = 40


def poisson_quantiles(uniform: Tensor, mean: Tensor) -> Tensor:
    """The least counts whose distribution function is above the uniform numbers, so that they rise with the mean.

    Args:
        uniform: Numbers in [0, 1).
        mean: Means, at least 0, of the same shape.

    Returns:
        Whole numbers of the same shape, as floats.
    """
    z = torch.special.ndtri(uniform.double().clamp(2**-25, 1 - 2**-25))
    large = mean.double().clamp_min(_LARGE)
    expansion = large + large.sqrt() * z + (1 / 3 + z**2 / 6) - (z / 36 + z**3 / 72) / large.sqrt()
    counts = expansion.floor().clamp_min(0)
    few = mean < _LARGE
    counts[few] = _counted(uniform[few].double(), mean[few].double())
    return counts.to(mean.dtype)


def _counted(uniform: Tensor, mean: Tensor) -> Tensor:
    """The same by adding up the probability of each count."""
    chance = torch.exp(-mean)
    below, counts = chance.clone(), torch.zeros_like(mean)
    for count in range(1, _MOST):
        left = uniform >= below
        if not left.any():
            break
        counts += left
        chance = chance * mean / count
        below += chance
    return counts
