"""MMD-critic: rows that stand for all, and rows that they stand for badly (Kim et al., 2016, Examples are not enough, learn to criticize!).

Prototypes are chosen one by one so that they come nearest to all rows in the maximum mean discrepancy of a Gaussian kernel;
criticisms are where the two still differ most, with the logarithm of the kernel's determinant to keep them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from classifier.seeds import Seed

# Rows between which the middle distance is taken, and sets of chance that prototypes are compared with.
_SOME, _SETS = 1000, 100


@dataclass(frozen=True)
class Kernel:
    """A Gaussian kernel ``exp(-|a - b|^2 / width^2)``.

    Args:
        width: By default the middle distance between the points.
    """

    width: float

    @classmethod
    def for_points(cls, points: Tensor) -> Kernel:
        """The kernel as wide as the middle distance of points ``(N, D)``; where most are alike, as the mean distance."""
        some = points[:: -(-len(points) // _SOME)]
        distances = torch.pdist(some) if len(some) > 1 else torch.zeros(1)
        middle = float(distances.median())
        return cls(middle or float(distances.mean()) or 1.0)

    def __call__(self, points: Tensor) -> Tensor:
        """The kernel between all points ``(N, N)``."""
        return torch.exp(-((torch.cdist(points, points) / self.width) ** 2))


class Choice(NamedTuple):
    """Places of the chosen points, in the order of their choice."""

    prototypes: list[int]
    criticisms: list[int]


def choose(kernel: Tensor, prototypes: int, criticisms: int) -> Choice:
    """Choose greedily; each step looks at all points at once.

    Args:
        kernel: Between all points ``(N, N)``.
        prototypes: How many points stand for all.
        criticisms: How many of the others criticise them.
    """
    chosen = choose_prototypes(kernel, prototypes)
    return Choice(chosen, choose_criticisms(kernel, chosen, criticisms))


def choose_prototypes(kernel: Tensor, count: int) -> list[int]:
    """Add the point after which the squared discrepancy to all points is least, `count` times (Kim et al., eq. 4)."""
    near_all = kernel.mean(0)
    near_chosen = torch.zeros_like(near_all)
    chosen: list[int] = []
    total, inside = 0.0, 0.0
    for size in range(1, count + 1):
        gain = 2 * (total + near_all) / size - (inside + 2 * near_chosen + kernel.diagonal()) / size**2
        gain[chosen] = -torch.inf
        best = int(gain.argmax())
        total, inside = total + float(near_all[best]), inside + float(2 * near_chosen[best] + kernel[best, best])
        near_chosen = near_chosen + kernel[best]
        chosen.append(best)
    return chosen


def choose_criticisms(kernel: Tensor, prototypes: list[int], count: int) -> list[int]:
    """Add the point that adds most to the witness function's size and to the log-determinant, `count` times (Kim et al., eq. 6)."""
    witness = (kernel.mean(0) - kernel[prototypes].mean(0)).abs()
    left = kernel.diagonal().clone()
    factor = kernel.new_zeros(0, len(kernel))
    chosen: list[int] = []
    for _ in range(count):
        gain = witness + left.clamp_min(1e-12).log()
        gain[[*prototypes, *chosen]] = -torch.inf
        best = int(gain.argmax())
        # A column of the Cholesky factor: what of each point those before do not tell.
        row = (kernel[best] - factor[:, best] @ factor) / left[best].clamp_min(1e-12).sqrt()
        factor, left = torch.cat([factor, row[None]]), left - row**2
        chosen.append(best)
    return chosen


def discrepancy(kernel: Tensor, chosen: Tensor) -> Tensor:
    """The squared discrepancy between all points and chosen ones ``(M, m)``, for each of the M choices ``(M,)``."""
    inside = kernel[chosen[:, :, None], chosen[:, None]].mean((1, 2))
    return kernel.mean() - 2 * kernel.mean(0)[chosen].mean(1) + inside


def discrepancy_by_chance(kernel: Tensor, count: int, seed: Seed) -> float:
    """The mean squared discrepancy of `count` points drawn at random."""
    generator = seed.numpy()
    drawn = np.stack([generator.permutation(len(kernel))[:count] for _ in range(_SETS)])
    return float(discrepancy(kernel, torch.from_numpy(drawn).to(kernel.device)).mean())
