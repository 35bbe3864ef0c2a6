"""Clouds: random maps of heights by the diamond-square algorithm (Fournier et al., 1982, doi:10.1145/358523.358553), which tile."""

from __future__ import annotations

import torch
from torch import Tensor


def plasma(noise: Tensor, decay: float) -> Tensor:
    """Maps of heights from 0 to 1.

    From a coarse grid to a fine one, each new point is the mean of its four neighbours and a random offset, which shrinks
    by the square of `decay` with each halving.

    Args:
        noise: The offsets' random numbers in [0, 1) ``(N, S, S)``, S a power of two, at least 2.
        decay: How fast the offsets shrink; the larger, the smoother.

    Returns:
        Heights ``(N, S, S)``, of each map the lowest 0 and the highest 1.
    """
    side = noise.shape[1]
    offsets = 2 * noise - 1
    heights = torch.zeros_like(noise)
    step, size = side, 1.0
    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        below = corners + corners.roll(-1, 1)
        heights[:, half::step, half::step] = (below + below.roll(-1, 2)) / 4 + size * offsets[:, half::step, half::step]
        middles = heights[:, half::step, half::step]
        for rows, columns, axis in ((0, half, 1), (half, 0, 2)):
            # A point on an edge lies between two corners, and between two middles across the edge.
            mean = (corners + corners.roll(-1, 3 - axis) + middles + middles.roll(1, axis)) / 4
            heights[:, rows::step, columns::step] = mean + size * offsets[:, rows::step, columns::step]
        step, size = half, size / decay**2
    low, high = heights.amin((1, 2), keepdim=True), heights.amax((1, 2), keepdim=True)
    return (heights - low) / (high - low).clamp_min(1e-12)


def plasma_side(size: tuple[int, int]) -> int:
    """The side of a map that covers an image of a size: the least power of two."""
    return max(2, 1 << (max(size) - 1).bit_length())
