"""Filters of batches of images: blur, any kernel, and pixels taken from elsewhere."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor
from torch.nn import functional

# Of a Gaussian, as many standard deviations as are not cut off.
_TAILS = 4.0


def blurred(x: Tensor, sigma: float, *, beyond: str = "border") -> Tensor:
    """Images under a Gaussian.

    Args:
        x: Images ``(N, C, H, W)``.
        sigma: Standard deviation in pixels, which may be more than the side; 0 changes nothing.
        beyond: What lies beyond the edge: ``"border"``, where the edge goes on, or ``"reflection"``.
    """
    if sigma == 0:
        return x
    rows, columns = (_gaussian_line(extent, sigma, beyond).to(x) for extent in x.shape[2:])
    return rows @ x @ columns.mT


def filtered(x: Tensor, kernel: Tensor) -> Tensor:
    """Each channel of images ``(N, C, H, W)`` under a kernel ``(h, w)`` of odd sides; beyond the edge, the edge goes on."""
    height, width = kernel.shape
    padded = functional.pad(x, (width // 2, width // 2, height // 2, height // 2), mode="replicate")
    flat = padded.reshape(-1, 1, *padded.shape[2:])
    return functional.conv2d(flat, kernel[None, None].to(x)).reshape(x.shape)


def taken_from(x: Tensor, down: Tensor, right: Tensor, *, beyond: str = "border") -> Tensor:
    """Images whose pixels are taken from elsewhere, between pixels bilinearly.

    Args:
        x: Images ``(N, C, H, W)``.
        down: How many pixels below its own place each pixel is taken from; broadcasts to ``(N, H, W)``.
        right: How many pixels to the right, likewise.
        beyond: What lies beyond the edge: ``"border"`` or ``"reflection"``.
    """
    count, _, height, width = x.shape
    rows = torch.arange(height, device=x.device, dtype=x.dtype)[:, None] + down
    columns = torch.arange(width, device=x.device, dtype=x.dtype) + right
    grid = torch.stack([(2 * at.expand(count, height, width) + 1) / extent - 1 for at, extent in ((columns, width), (rows, height))], dim=3)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode=beyond, align_corners=False)


def zoomed(x: Tensor, factor: float) -> Tensor:
    """Images ``(N, C, H, W)`` magnified about their middle, cut to their size."""
    rows, columns = ((torch.arange(extent, device=x.device, dtype=x.dtype) - (extent - 1) / 2) for extent in x.shape[2:])
    return taken_from(x, rows[:, None] * (1 / factor - 1), columns * (1 / factor - 1))


def streaked(x: Tensor, angles: Tensor, *, steps: int, sigma: float, step: float) -> Tensor:
    """Images as if they had moved while they were taken: one-sided Gaussian weights along a line.

    Args:
        x: Images ``(N, C, H, W)``.
        angles: Direction of each image's motion, in radians from the right downwards ``(N,)``.
        steps: How many places along the line are averaged.
        sigma: Standard deviation of the weights, in steps.
        step: Length of a step in pixels.
    """
    weights = torch.exp(-(torch.arange(steps, dtype=x.dtype) ** 2) / (2 * sigma**2))
    weights = weights[weights > 1e-3]
    weights = weights / weights.sum()
    down, right = angles.sin()[:, None, None], angles.cos()[:, None, None]
    total = torch.zeros_like(x)
    for place, weight in enumerate(weights.tolist()):
        total += weight * taken_from(x, place * step * down, place * step * right)
    return total


def _gaussian_line(extent: int, sigma: float, beyond: str) -> Tensor:
    """What each pixel of a line is made of, when the line is blurred ``(extent, extent)``."""
    reach = ceil(_TAILS * sigma)
    places = torch.arange(-reach, reach + 1)
    weights = torch.exp(-(places.double() ** 2) / (2 * sigma**2))
    sources = torch.arange(extent)[:, None] + places
    if beyond == "reflection":
        # The edge pixel is seen twice: ... 1 0 | 0 1 ...
        sources = sources % (2 * extent)
        sources = torch.minimum(sources, 2 * extent - 1 - sources)
    sources = sources.clamp(0, extent - 1)
    line = torch.zeros(extent, extent, dtype=torch.float64)
    return line.scatter_add_(1, sources, (weights / weights.sum()).expand(extent, -1))
