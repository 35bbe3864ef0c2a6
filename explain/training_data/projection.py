"""Projection: long vectors made short, with their products kept on average (Kane and Nelson, 2014, arXiv:1012.1577)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from classifier.seeds import Seed

# Places that each number goes to. More keep products closer, and cost as much more.
_PLACES = 4


class Projection:
    """Add each number, with random signs, to a few of the places of a short vector.

    It needs a few integers for each number, where a matrix would need as many as the short vector is long. Vectors that are
    no longer than that stay as they are.

    Args:
        size: Length of what is projected, P.
        length: Length that it is projected to, k.
        seed: Decides places and signs.
        device: Where the vectors are.
    """

    def __init__(self, size: int, length: int, seed: Seed, device: torch.device) -> None:
        self.length = min(size, length)
        self._parts: list[tuple[Tensor, Tensor]] = []
        if size <= length:
            return
        # Each draw has a stretch of the short vector to itself, so that no number meets itself.
        places = min(_PLACES, length)
        ends = [round(length * part / places) for part in range(places + 1)]
        generator = seed.torch()
        for start, end in pairwise(ends):
            place = torch.randint(start, end, (size,), generator=generator)
            sign = torch.randint(0, 2, (size,), generator=generator).float() * 2 - 1
            self._parts.append((place.to(device), (sign / places**0.5).to(device)))

    def __call__(self, vectors: Tensor) -> Tensor:
        """Project vectors ``(n, P)`` to ``(n, k)``."""
        if not self._parts:
            return vectors
        # Row by row of the transpose, so that what is added lies together in memory.
        across = vectors.T.contiguous()
        short = torch.zeros(self.length, len(vectors), dtype=vectors.dtype, device=vectors.device)
        for place, sign in self._parts:
            short.index_add_(0, place, across * sign[:, None].to(across))
        return short.T.contiguous()
